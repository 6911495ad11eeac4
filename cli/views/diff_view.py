"""Differences for people and for programs: resource by resource, field by field, port by port."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from heddle.cli.views.output import colored
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.path import dotted
from heddle.specs.model.difference import ABSENT, Diff, FieldDiff, What
from heddle.specs.model.mask import covered
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value

MARKS: dict[What, tuple[str, str]] = {
    "created": ("+", "green"),
    "updated": ("~", "yellow"),
    "deleted": ("-", "red"),
    "unchanged": (" ", "bright_black"),
}
_SECRET = ("data", "sealed")
LONGEST = 100
"""Longer texts on one line are cut."""


def tell(differences: Iterable[Diff], *, would: bool = False) -> None:
    """`created  spec pong`, one line each."""
    for each in differences:
        what = f"would be {each.what}" if would and each.what != "unchanged" else each.what
        click.echo(f"{what:<{18 if would else 9}}  {named(each.resource)}")


def tell_details(differences: Iterable[Diff]) -> None:
    """Each with what becomes of its fields and its ports; what stays as it is is not told."""
    import sys

    color = colored(sys.stdout)
    for each in differences:
        if each.what != "unchanged":
            for line in lines_of(each):
                click.echo(line, color=color)


def summary(differences: Sequence[Diff]) -> str:
    """`1 to create, 2 to update`; `nothing to change` where there is nothing."""
    words: tuple[tuple[What, str], ...] = (
        ("created", "create"),
        ("updated", "update"),
        ("deleted", "delete"),
    )
    counts = [(sum(each.what == what for each in differences), word) for what, word in words]
    return ", ".join(f"{count} to {word}" for count, word in counts if count) or "nothing to change"


def named(resource: Resource) -> str:
    """`spec pong`, and where it is unless that is `default`."""
    where = "" if resource.namespace == DEFAULT_NAMESPACE else f" in {resource.namespace}"
    return f"{type(resource).__name__.lower()} {resource.label}{where}"


def lines_of(one: Diff) -> Iterator[str]:
    """A difference with its details, a line each, in colours."""
    mark, color = MARKS[one.what]
    kind = f" ({one.resource.kind})" if isinstance(one.resource, Spec) else ""
    yield click.style(f"{mark} {named(one.resource)}{kind}", fg=color)
    if one.what in ("created", "deleted"):
        yield from (click.style(f"    {mark} {line}", fg=color) for line in _ports(one.resource))
    hidden = secret(one)
    for detail in one.details:
        yield from _detail(detail, hidden=hidden and detail.path[0] in _SECRET)


def secret(one: Diff) -> bool:
    """Whether what it says must not be shown."""
    return any(
        isinstance(side, Value) and side.secret for side in (one.turn.before, one.turn.after)
    )


def _ports(resource: Resource) -> Iterator[str]:
    """`ports.out: pong.in, log.in`, for each port with links."""
    if isinstance(resource, Spec):
        for port, links in resource.ports.items():
            said = ", ".join(f"{link.target}.{link.port}" for link in links)
            yield f"{dotted('', ('ports', port))}: {said}"


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


def _whole(detail: FieldDiff, found: Any) -> Iterator[str]:
    """What came or went: of links, where they lead says all."""
    if detail.path[0] != "ports" or len(detail.path) > 3 or not isinstance(found, Mapping):
        yield f"{_where(detail)}: {_short(found)}"
    elif len(detail.path) == 1:
        for port, links in found.items():
            yield f"{dotted('', ('ports', port))}: {', '.join(links)}"
    elif len(detail.path) == 2:
        yield f"{_where(detail)}: {', '.join(found)}"
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
    """Whether the links of a port are in another order."""
    return (
        detail.path[0] == "ports"
        and len(detail.path) == 2
        and isinstance(detail.before, list)
        and isinstance(detail.after, list)
    )


def _lines(before: str, after: str) -> Iterator[str]:
    """What differs between two texts, with a line around it."""
    told = difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    for line in list(told)[2:]:
        color = {"+": "green", "-": "red"}.get(line[:1], "bright_black")
        yield click.style(f"        {line}", fg=color)


def _short(data: Any) -> str:
    """Plain data on one line, as JSON."""
    import msgspec

    text = msgspec.json.encode(data, enc_hook=str).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# --- for programs ---------------------------------------------------------------------------------

SHAPE = (
    "{what: created|updated|unchanged|deleted, type: spec|value, id, namespace, name?, kind?, "
    "fields?: [{path, before?, after?}]}"
)
"""What `as_change` gives, as help shows it."""


def as_change(one: Diff) -> dict[str, Any]:
    """A difference as plain data; secrets are masked."""
    resource = one.resource
    said: dict[str, Any] = {
        "what": one.what,
        "type": type(resource).__name__.lower(),
        "id": str(resource.id),
        "namespace": resource.namespace,
        "name": resource.name,
        "kind": getattr(resource, "kind", None),
    }
    if one.details:
        hidden = secret(one)
        said["fields"] = [_field(each, hidden and each.path[0] in _SECRET) for each in one.details]
    return {name: value for name, value in said.items() if value is not None}


def _field(detail: FieldDiff, hidden: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"path": detail.at}
    for name, side in (("before", detail.before), ("after", detail.after)):
        if side is not ABSENT:
            said[name] = covered(side) if hidden else side
    return said
