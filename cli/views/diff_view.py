"""Differences for people and for programs: resource by resource, field by field, port by port."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from heddle.cli.views.output import colored
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.path import dotted
from heddle.specs.model.difference import ABSENT, Action, Diff, FieldDiff
from heddle.specs.model.mask import covered
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value

MARKS: dict[Action, tuple[str, str]] = {
    "created": ("+", "green"),
    "updated": ("~", "yellow"),
    "deleted": ("-", "red"),
    "unchanged": (" ", "bright_black"),
}
_SECRET = ("data", "sealed")
LONGEST = 100
"""Longer texts on one line are cut."""


def print_changes(differences: Iterable[Diff], *, would: bool = False) -> None:
    """Print `created  spec pong`, one line for each difference."""
    for each in differences:
        text = f"would be {each.action}" if would and each.action != "unchanged" else each.action
        click.echo(f"{text:<{18 if would else 9}}  {named(each.resource)}")


def print_details(differences: Iterable[Diff]) -> None:
    """Print each difference with its fields and ports; what stays as it is is left out."""
    import sys

    color = colored(sys.stdout)
    for each in differences:
        if each.action != "unchanged":
            for line in lines_of(each):
                click.echo(line, color=color)


def summary(differences: Sequence[Diff]) -> str:
    """`1 to create, 2 to update`; `nothing to change` if there is nothing."""
    words: tuple[tuple[Action, str], ...] = (
        ("created", "create"),
        ("updated", "update"),
        ("deleted", "delete"),
    )
    counts = [
        (sum(each.action == kind_of_change for each in differences), word)
        for kind_of_change, word in words
    ]
    return ", ".join(f"{count} to {word}" for count, word in counts if count) or "nothing to change"


def named(resource: Resource) -> str:
    """`spec pong`, and where it is unless that is `default`."""
    where = "" if resource.namespace == DEFAULT_NAMESPACE else f" in {resource.namespace}"
    return f"{type(resource).__name__.lower()} {resource.label}{where}"


def lines_of(diff: Diff) -> Iterator[str]:
    """Yield a difference with its details, a line each, in colours."""
    mark, color = MARKS[diff.action]
    kind = f" ({diff.resource.kind})" if isinstance(diff.resource, Spec) else ""
    yield click.style(f"{mark} {named(diff.resource)}{kind}", fg=color)
    if diff.action in ("created", "deleted"):
        yield from (click.style(f"    {mark} {line}", fg=color) for line in _ports(diff.resource))
    hidden = secret(diff)
    for detail in diff.details:
        yield from _detail(detail, hidden=hidden and detail.path[0] in _SECRET)


def secret(diff: Diff) -> bool:
    """Return whether what it says must not be shown."""
    return any(
        isinstance(side, Value) and side.secret for side in (diff.turn.before, diff.turn.after)
    )


def _ports(resource: Resource) -> Iterator[str]:
    """`ports.out: pong.in, log.in`, for each port with links."""
    if isinstance(resource, Spec):
        for port, links in resource.ports.items():
            text = ", ".join(f"{link.target}.{link.port}" for link in links)
            yield f"{dotted('', ('ports', port))}: {text}"


def _detail(detail: FieldDiff, *, hidden: bool) -> Iterator[str]:
    before, after = detail.before, detail.after
    if hidden:
        before, after = (covered(each) if each is not ABSENT else each for each in (before, after))
    where = _where(detail)
    if before is ABSENT or after is ABSENT:
        mark = "+" if before is ABSENT else "-"
        color = "green" if before is ABSENT else "red"
        for line in _whole(detail, after if before is ABSENT else before):
            yield click.style(f"    {mark} {line}", fg=color)
    elif _is_order(detail):
        yield click.style(f"    ~ {where}: {_short(before)} → {_short(after)} (order)", fg="yellow")
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield click.style(f"    ~ {where}:", fg="yellow")
        yield from _lines(before, after)
    else:
        changed = " (another one)" if hidden else ""
        yield click.style(
            f"    ~ {where}: {_short(before)} → {_short(after)}{changed}", fg="yellow"
        )


def _whole(detail: FieldDiff, value: Any) -> Iterator[str]:
    """Yield what came or went: of links, where they lead says all."""
    if detail.path[0] != "ports" or len(detail.path) > 3 or not isinstance(value, Mapping):
        yield f"{_where(detail)}: {_short(value)}"
    elif len(detail.path) == 1:
        for port, links in value.items():
            yield f"{dotted('', ('ports', port))}: {', '.join(links)}"
    elif len(detail.path) == 2:
        yield f"{_where(detail)}: {', '.join(value)}"
    else:
        yield _where(detail)


def _where(detail: FieldDiff) -> str:
    """`code`, `routes[0].path`; of a link its port and what it leads to: `ports.out → pong.in`."""
    if detail.path[0] == "ports" and len(detail.path) > 2:
        port = dotted("", detail.path[:2])
        rest = "".join(f".{step}" for step in detail.path[3:])
        return f"{port} → {detail.path[2]}{rest}"
    return detail.at


def _is_order(detail: FieldDiff) -> bool:
    """Return whether the links of a port are in another order."""
    return (
        detail.path[0] == "ports"
        and len(detail.path) == 2
        and isinstance(detail.before, list)
        and isinstance(detail.after, list)
    )


def _lines(before: str, after: str) -> Iterator[str]:
    """Yield what differs between two texts, with a line around it."""
    texts = difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    for line in list(texts)[2:]:
        color = {"+": "green", "-": "red"}.get(line[:1], "bright_black")
        yield click.style(f"        {line}", fg=color)


def _short(data: Any) -> str:
    """Plain data on one line, as JSON."""
    import msgspec

    text = msgspec.json.encode(data, enc_hook=str).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# --- for programs ---------------------------------------------------------------------------------

SHAPE = (
    "{action: created|updated|unchanged|deleted, type: spec|value, id, namespace, name?, kind?, "
    "fields?: [{path, before?, after?}]}"
)
"""The shape of `as_change`, as help shows it."""


def as_change(diff: Diff) -> dict[str, Any]:
    """Return a difference as plain data; secrets are masked."""
    resource = diff.resource
    data: dict[str, Any] = {
        "action": diff.action,
        "type": type(resource).__name__.lower(),
        "id": str(resource.id),
        "namespace": resource.namespace,
        "name": resource.name,
        "kind": getattr(resource, "kind", None),
    }
    if diff.details:
        hidden = secret(diff)
        data["fields"] = [_field(each, hidden and each.path[0] in _SECRET) for each in diff.details]
    return {name: value for name, value in data.items() if value is not None}


def _field(detail: FieldDiff, hidden: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"path": detail.at}
    for name, side in (("before", detail.before), ("after", detail.after)):
        if side is not ABSENT:
            data[name] = covered(side) if hidden else side
    return data
