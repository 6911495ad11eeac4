"""Every command takes all the options that it shows."""

import inspect

import click
import pytest

from heddle.cli.main import cli


def commands(command: click.Command, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {" ".join(path): command}
    context = click.Context(command)
    found: dict[str, click.Command] = {}
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        assert one is not None
        found |= commands(one, (*path, name))
    return found


@pytest.mark.parametrize("name", commands(cli))
def test_a_command_takes_every_option_that_it_shows(name: str) -> None:
    one = commands(cli)[name]
    assert one.callback is not None
    taken = inspect.signature(one.callback).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken):
        return
    named = {each.name for each in taken}
    assert {each.name for each in one.params if each.expose_value} <= named
