"""The reference part of docs/commands.md, written from the commands themselves."""

import textwrap

import click

from heddle.cli.exit_codes import EXIT_CODES
from heddle.cli.group import CommandFamily, ExampleCommand
from heddle.cli.main import cli

MARK = (
    "<!-- What follows is written by heddle.cli.views.reference; change the commands instead. -->"
)
"""Stands in the page before the part that is written from the commands."""


def reference() -> str:
    """Return every command of our own with its arguments, options, JSON and examples, as Markdown."""
    context = click.Context(cli, info_name="heddle")
    parts = [_exit_codes()]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if not isinstance(command, ExampleCommand | CommandFamily):
            raise TypeError(f"{name} is not a command of ours")
        inner = click.Context(command, info_name=name, parent=context)
        parts.append(_command(inner, command))
        for below, subcommand in (
            command.commands.items() if isinstance(command, CommandFamily) else ()
        ):
            if not isinstance(subcommand, ExampleCommand):
                raise TypeError(f"{name} {below} is not a command of ours")
            parts.append(
                _command(click.Context(subcommand, info_name=below, parent=inner), subcommand)
            )
    return "\n\n".join(parts) + "\n"


def refreshed(page: str) -> str:
    """Return the page with its written part made anew; raise ValueError if the mark is missing."""
    kept, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK}")
    return f"{kept}{MARK}\n\n{reference()}"


def _exit_codes() -> str:
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES]
    return "\n".join(["## Exit codes", "", "| code | means |", "|---|---|", *rows])


def _command(context: click.Context, command: ExampleCommand | CommandFamily) -> str:
    """Return one command, or what the commands of a family have in common."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.command_path}", f"```\n{usage}\n```", _help(command)]
    options = [_option(option) for option in command.params if isinstance(option, click.Option)]
    if options:
        parts.append("\n".join(["| option | what it does |", "|---|---|", *options]))
    parts += [f"With `{flag}`:\n\n```\n{shape}\n```" for flag, shape in command.shapes]
    lines = [f"# {subject}\n{line}" if subject else line for subject, line in command.examples]
    parts.append("```sh\n" + "\n".join(lines) + "\n```")
    return "\n\n".join(parts)


def _help(command: click.Command) -> str:
    """Return the help text, each paragraph on one line."""
    text = textwrap.dedent(command.help or "")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _option(option: click.Option) -> str:
    """Return one row of the table of options."""
    names = ", ".join(option.opts)
    if isinstance(option.type, click.Choice):
        metavar = "\\|".join(str(choice) for choice in option.type.choices)
    else:
        metavar = option.metavar or ""
    shown = f"`{names}`" + (f" {metavar}" if metavar and not option.is_flag else "")
    default = f" [default: {option.default}]" if option.show_default else ""
    help_ = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| {shown} | {help_}{default} |"
