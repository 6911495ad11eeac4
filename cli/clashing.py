"""Clashes for people and for programs: what they made of it, what you want, and what to do now."""

from collections.abc import Sequence
from typing import Any

import click

from heddle.cli.differing import as_change, lines_of, named
from heddle.cli.output import colored
from heddle.runtime.planning import Clash
from heddle.specs.difference import difference


def tell_clashes(clashes: Sequence[Clash]) -> None:
    """Each with both changes since they parted; then what to do."""
    import sys

    color = colored(sys.stderr)
    for clash in clashes:
        said = click.style("conflict", fg="red", bold=True)
        click.echo(f"{said}: {clash}", err=True, color=color)
        for whose, side in (("theirs", clash.theirs), ("yours", clash.mine)):
            click.echo(f"  {whose}:", err=True)
            for line in lines_of(difference(clash.base, side)):
                click.echo(f"    {line}", err=True, color=color)
    what = ", ".join(named(each.resource) for each in clashes)
    click.echo(
        f"nothing was written. Look at {what} as it is now (heddle get), bring your change into it, "
        "and apply again",
        err=True,
    )


def as_clash(clash: Clash) -> dict[str, Any]:
    """A clash as plain data: both changes since they parted."""
    one = clash.resource
    said: dict[str, Any] = {
        "type": type(one).__name__.lower(),
        "id": str(one.id),
        "namespace": one.namespace,
        "name": one.name,
        "told": str(clash),
        "yours": as_change(difference(clash.base, clash.mine)),
        "theirs": as_change(difference(clash.base, clash.theirs)),
    }
    return {name: value for name, value in said.items() if value is not None}
