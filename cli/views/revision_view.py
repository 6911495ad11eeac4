"""Revisions on the command line: how they are named, and how they are shown."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from heddle.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from heddle.specs.model.revision import Revision, RevisionStore
    from heddle.specs.model.store import Store

WANTED = "the number of a revision, `now`, or `now~2` for two before it"
_TERM = re.compile(r"(\d+)|now(?:~(\d+))?")
_PAGE = 100


def is_term(text: str) -> bool:
    """Return whether a text names a revision."""
    return _TERM.fullmatch(text) is not None


async def number_of(store: "Store", term: str, namespace: str | None) -> int | None:
    """Return the number that a term names; None is what the store says now. Raise CommandError if there is none.

    `now~2` counts the revisions that changed something in the namespace (None: in any).
    """
    from heddle.runtime.changes.plan import recording

    match = _TERM.fullmatch(term)
    if match is None:
        raise CommandError(f'"{term}" is not a revision (expected: {WANTED})')
    kept = recording(store)
    if match[1]:
        return int(match[1])
    back = int(match[2] or 0)
    if not back:
        return None
    page: Sequence[Revision] = await kept.history(namespace, limit=back + 1)
    if len(page) > back:
        return page[back].number
    if len(page) == back:
        return 0
    where = f"the namespace {namespace}" if namespace is not None else store.url
    raise CommandError(f"{term}: {where} has only {len(page)} revisions")


async def changing(
    store: "RevisionStore", namespace: str | None, names: Collection[str], limit: int
) -> "list[Revision]":
    """Return the newest revisions that changed one of these names (or ids; empty: anything)."""
    revisions: list[Revision] = []
    before: int | None = None
    while len(revisions) < limit:
        page = await store.history(
            namespace, before=before, limit=_PAGE if names else limit - len(revisions)
        )
        if not page:
            break
        before = page[-1].number
        revisions += [kept for each in page if (kept := _only(each, names)).turns]
    return revisions[:limit]


def _only(revision: "Revision", names: Collection[str]) -> "Revision":
    """Return the revision with what it did to these names."""
    if not names:
        return revision
    turns = tuple(
        turn
        for turn in revision.turns
        if any(
            side is not None and {side.name, side.label, str(side.id)} & set(names)
            for side in (turn.before, turn.after)
        )
    )
    return msgspec.structs.replace(revision, turns=turns)


# --- showing --------------------------------------------------------------------------------------


def when(seconds: float) -> str:
    """Return a time for people: local, to the second."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def stamp(seconds: float) -> str:
    """Return a time for programs: ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def row_of(revision: "Revision") -> list[str]:
    """Return a revision as a row: number, when, author, what it changed, why."""
    return [
        str(revision.number),
        when(revision.time),
        revision.author,
        changed_by(revision),
        (revision.message.splitlines() or [""])[0],
    ]


def changed_by(revision: "Revision", most: int = 3) -> str:
    """`+pong ~router`: what a revision created, updated and deleted."""
    labels = []
    for turn in revision.turns[:most]:
        mark = "+" if turn.before is None else "-" if turn.after is None else "~"
        labels.append(f"{mark}{turn.resource.label}")
    more = len(revision.turns) - most
    return " ".join([*labels, f"and {more} more"] if more > 0 else labels)


def print_head(revision: "Revision") -> None:
    """Print a revision's number, author, time and message."""
    click.echo(f"revision {revision.number}")
    click.echo(f"  when    {when(revision.time)}")
    if revision.author:
        click.echo(f"  author  {revision.author}")
    for number, line in enumerate(revision.message.splitlines()):
        click.echo(f"  {'why' if not number else '':<6}  {line}")


def as_revision(revision: "Revision") -> dict[str, Any]:
    """Return a revision as plain data; secrets are masked."""
    from heddle.cli.views.diff_view import as_change
    from heddle.specs.model.difference import differences

    return {
        "revision": revision.number,
        "time": stamp(revision.time),
        "author": revision.author,
        "message": revision.message,
        "changes": [as_change(each) for each in differences(revision.turns)],
    }


SHAPE = "{revision, time, author, message, changes: [as of heddle plan]}"
"""The shape of `as_revision`, as help shows it."""
