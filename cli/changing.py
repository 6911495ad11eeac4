"""What all commands that change a store share: who and why, making it, waiting for it, telling it."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from heddle.cli.failure import FAILED, CommandError

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.runtime.planning import Applied, Planned
    from heddle.runtime.waiting import Arrival, Waited
    from heddle.specs.difference import Difference
    from heddle.specs.revision import Note
    from heddle.specs.store import Store

MESSAGE = click.option("-m", "--message", metavar="TEXT", default="", help="Why: for the history.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check and tell, but write nothing.")
WAIT = click.option(
    "--wait",
    is_flag=True,
    help="Wait until every runtime that follows the namespace has it live, or refused it.",
)
TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long --wait waits at most.",
)

YES = click.option("-y", "--yes", is_flag=True, help="Do not ask before something is deleted.")

SHAPE = (
    "{ok, changes: [as of heddle plan], problems: [as of heddle check], revision?, "
    "conflicts?: [{type, id, namespace, name?, told, yours, theirs, merged?, "
    "contradictions?: [{path, reason, base?, yours?, theirs?}]}], "
    "runtimes?: [{namespace, runtime, host, pid, state: live|waiting|refused|behind, observed, "
    "symbols}]}"
)
"""What commands that change a store print with `--json`."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How a change is to be made."""

    message: str = ""
    dry_run: bool = False
    wait: bool = False
    timeout: float = 60.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change. `waited` has an item for each namespace that was waited for."""

    applied: "Applied"
    dry_run: bool = False
    waited: "tuple[Waited, ...]" = ()

    @property
    def ok(self) -> bool:
        """Whether it was made, and nobody refused it or is behind."""
        stopped = self.applied.problems or self.applied.clashes
        return not stopped and not any(each.refused or each.behind for each in self.waited)


def note_of(settings: "Settings", message: str) -> "Note":
    """Who makes a change set, and why."""
    from heddle.specs.revision import Note

    return Note(author=settings.author or user_at_host(), message=message)


def user_at_host() -> str:
    """Who runs this process, and where: `ada@web-1`."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as somebody whom nothing names.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def ready_to_wait(store: "Store", asked: Asked) -> None:
    """CommandError where there is nobody to wait for: before anything is written."""
    from heddle.specs.report import Reporting

    if asked.wait and not isinstance(store, Reporting):
        raise CommandError(
            f"{store.url}: runtimes do not say there how they are, so nobody can wait for them. "
            "Leave out --wait"
        )


async def make_it(
    store: "Store", planned: "Planned", settings: "Settings", asked: Asked
) -> Outcome:
    """Make what was planned, and wait for it, as asked."""
    from heddle.runtime.planning import Applied, make

    if asked.dry_run:
        applied = Applied(
            differences=planned.differences, problems=planned.problems, clashes=planned.clashes
        )
        return Outcome(applied=applied, dry_run=True)
    ready_to_wait(store, asked)
    applied = await make(store, planned, note_of(settings, asked.message))
    waited = await _wait(store, applied, asked) if asked.wait and applied.revision else []
    return Outcome(applied=applied, waited=tuple(waited))


async def _wait(store: "Store", applied: "Applied", asked: Asked) -> "list[Waited]":
    from heddle.runtime.waiting import wait_live
    from heddle.specs.report import Reporting

    if not isinstance(store, Reporting):
        raise TypeError(f"runtimes do not say how they are in a {type(store).__name__}")
    return [
        await wait_live(store, space, applied.revision, applied.ids(space), timeout=asked.timeout)
        for space in applied.namespaces
    ]


def confirm(planned: "Planned") -> None:
    """On a terminal, show what would be deleted and ask; click.Abort where the answer is no."""
    from heddle.cli.differing import tell_details

    gone = deleted(planned.differences)
    if not gone or planned.problems or planned.clashes or not sys.stdin.isatty():
        return
    tell_details(gone)
    count = f"{len(gone)} specs or values" if len(gone) > 1 else "it"
    click.confirm(f"Delete {count}?", abort=True, err=True)


# --- telling --------------------------------------------------------------------------------------


def tell_outcome(outcome: Outcome, *, source: Any = None, nothing: str = "") -> None:
    """What became of it, for people; `nothing` is said where there was nothing to do."""
    from heddle.cli.differing import tell
    from heddle.cli.output import print_problems

    applied = outcome.applied
    print_problems(applied.problems, source=source)
    if applied.clashes:
        from heddle.cli.clashing import tell_clashes

        tell_clashes(applied.clashes)
    if applied.problems or applied.clashes:
        if applied.problems:
            click.echo("nothing was written: put the problems right first", err=True)
        return
    tell(applied.differences, would=outcome.dry_run)
    if not applied.differences and nothing:
        click.echo(nothing, err=True)
    if applied.revision:
        click.echo(f"revision {applied.revision}", err=True)
    for waited in outcome.waited:
        tell_waited(waited)


def tell_waited(waited: "Waited") -> None:
    """How far each runtime has come, a line each, with the reasons."""
    if not waited.arrivals:
        click.echo(
            f"no runtime follows the namespace {waited.namespace}: nobody to wait for", err=True
        )
    for arrival in waited.arrivals:
        report = arrival.report
        said = arrival.state if arrival.state != "behind" else "behind: it has not looked yet"
        click.echo(f"{said:<9}  {report.host}:{report.pid}")
        for line in _reasons(arrival):
            click.echo(f"    {line}")


def _reasons(arrival: "Arrival") -> "list[str]":
    from heddle.runtime.standing import reason, telling

    said = {each.name or str(each.id): telling(each.conditions) for each in arrival.symbols}
    if arrival.state == "behind":
        said["the runtime"] = telling(arrival.report.conditions)
    return [f"{who}: {reason(why)}" for who, why in said.items() if why is not None]


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """What became of it, for programs; see SHAPE."""
    from heddle.cli.differing import as_change
    from heddle.schemas.report import as_data

    applied = outcome.applied
    said: dict[str, Any] = {
        "ok": outcome.ok,
        "changes": [as_change(each) for each in applied.differences],
        "problems": [as_data(problem) for problem in applied.problems],
    }
    if applied.problems or applied.clashes:
        said["changes"] = []
    if applied.revision:
        said["revision"] = applied.revision
    if applied.clashes:
        from heddle.cli.clashing import as_clash

        said["conflicts"] = [as_clash(each) for each in applied.clashes]
    if outcome.waited:
        said["runtimes"] = [
            _arrival_data(waited, arrival)
            for waited in outcome.waited
            for arrival in waited.arrivals
        ]
    return said


def _arrival_data(waited: "Waited", arrival: "Arrival") -> dict[str, Any]:
    report = arrival.report
    return {
        "namespace": waited.namespace,
        "runtime": report.runtime,
        "host": report.host,
        "pid": report.pid,
        "state": arrival.state,
        "observed": report.observed,
        "symbols": [msgspec.to_builtins(each) for each in arrival.symbols],
    }


def end(outcome: Outcome) -> None:
    """The exit code: 1 where it was not made, or somebody refused it or is behind."""
    if not outcome.ok:
        raise click.exceptions.Exit(FAILED)


def deleted(differences: "Sequence[Difference]") -> "list[Difference]":
    """Those that delete something."""
    return [each for each in differences if each.what == "deleted"]
