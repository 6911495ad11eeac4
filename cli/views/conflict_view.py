"""Clashes for people and for programs: what they made of it, what you want, and what both come to."""

from collections.abc import Sequence
from typing import Any

import click

from heddle.cli.views.diff_view import as_change, lines_of, named
from heddle.cli.views.output import colored, entry_of
from heddle.runtime.changes.plan import Clash
from heddle.specs.merge.merge import MergeConflict
from heddle.specs.model.difference import ABSENT, difference
from heddle.specs.model.mask import covered


def print_clashes(clashes: Sequence[Clash]) -> None:
    """Print each conflict with both changes and their result, then what to do."""
    import sys

    color = colored(sys.stderr)
    fit = True
    for clash in clashes:
        text = click.style("conflict", fg="red", bold=True)
        click.echo(f"{text}: {clash}", err=True, color=color)
        for owner, side in (("theirs", clash.theirs), ("yours", clash.mine)):
            click.echo(f"  {owner}:", err=True)
            for line in lines_of(difference(clash.base, side)):
                click.echo(f"    {line}", err=True, color=color)
        fit = _print_merged(clash, color) and fit
    click.echo(_advice(clashes, fit), err=True)


def _print_merged(clash: Clash, color: bool) -> bool:
    """Return what both changes come to; whether they fit."""
    merged = clash.merged()
    if not merged.conflicts:
        click.echo("  both fit together:", err=True)
        for line in lines_of(difference(clash.theirs, next(iter(merged.resources), None))):
            click.echo(f"    {line}", err=True, color=color)
        return True
    click.echo("  they contradict each other:", err=True)
    for conflict in merged.conflicts:
        click.echo(f"    {conflict.at}: {conflict.reason}", err=True)
    return False


def _advice(clashes: Sequence[Clash], fit: bool) -> str:
    if fit:
        return "nothing was written. Apply it again with --merge to have both"
    text = ", ".join(named(each.resource) for each in clashes)
    return (
        f"nothing was written. Look at {text} as it is now (heddle get), bring your change into it, "
        "and apply it again"
    )


def as_clash(clash: Clash) -> dict[str, Any]:
    """Return a clash as plain data: both changes since they parted, and what both come to."""
    resource = clash.resource
    merged = clash.merged()
    data: dict[str, Any] = {
        "type": type(resource).__name__.lower(),
        "id": str(resource.id),
        "namespace": resource.namespace,
        "name": resource.name,
        "told": str(clash),
        "yours": as_change(difference(clash.base, clash.mine)),
        "theirs": as_change(difference(clash.base, clash.theirs)),
    }
    if merged.conflicts:
        data["contradictions"] = [_contradiction(each) for each in merged.conflicts]
    elif merged.resources:
        data["merged"] = entry_of(merged.resources[0])
    return {name: value for name, value in data.items() if value is not None}


def _contradiction(conflict: MergeConflict) -> dict[str, Any]:
    data: dict[str, Any] = {"path": conflict.at, "reason": conflict.reason}
    sides = (("base", conflict.base), ("yours", conflict.ours), ("theirs", conflict.theirs))
    for name, side in sides:
        if side is not ABSENT:
            data[name] = covered(side) if conflict.secret else side
    return data
