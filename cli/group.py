"""The command group knows its commands by name and short help; it imports one when it is used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

DEBUG = "heddle.debug"
"""The key of a context that says that tracebacks are shown."""

AS_JSON = "heddle.json"
"""The key of a context that says that output is JSON, of failures too."""


KEYED = "heddle.keyed"
"""The key of a context that says that its command takes `--key`."""


class LazyGroup(click.Group):
    """Commands of which each stands in a module of its own, as `command`.

    `lazy` gives the short help of each by name, so that help and completion import none of them.
    `more` is asked for commands that are not among them: those of extensions, by name. `boundary` runs a
    command and turns what it raises into an exit code.
    """

    def __init__(
        self,
        *args: Any,
        package: str,
        lazy: Mapping[str, str],
        more: Callable[[], Mapping[str, click.Command]],
        boundary: Callable[[click.Context, Callable[[click.Context], Any]], Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.lazy = lazy
        self._more = more
        self._boundary = boundary

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of our own commands, in the order in which people need them."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name; extensions are loaded only if none of ours has it."""
        if cmd_name in self.lazy:
            command: click.Command = import_module(f"{self.package}.{cmd_name}").command
            return command
        return None if ctx.resilient_parsing else self._more().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments begin with; UsageError with the nearest name otherwise."""
        name = args[0]
        if name in self.lazy or ctx.resilient_parsing:
            return name, self.get_command(ctx, name), args[1:]
        more = self._more()
        if name not in more:
            from heddle.schemas.suggestion import did_you_mean

            hint = did_you_mean(name, [*self.lazy, *more], "command") or "See heddle help"
            ctx.fail(f'there is no command "{name}". {hint}')
        return name, more[name], args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, from the short helps that are known without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lazy.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises becomes one line on standard error and an exit code."""
        return self._boundary(ctx, super().invoke)


class ExampleCommand(click.Command):
    """A command whose help ends in examples, and that says what its JSON looks like.

    `examples` are pairs of what it is good for and the command line; `shapes` are pairs of a flag
    and the JSON that it prints.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[tuple[str, str]] = (),
        shapes: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.shapes = tuple(shapes)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and the shapes of JSON."""
        _epilog(self, ctx, formatter)
        super().format_epilog(ctx, formatter)


class CommandFamily(click.Group):
    """Commands that share a word: `heddle key new`, `heddle key list`. Their help ends in examples."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.shapes: tuple[tuple[str, str], ...] = ()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments begin with; UsageError with the nearest name otherwise."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            from heddle.schemas.suggestion import did_you_mean

            near = did_you_mean(args[0], self.commands, "command")
            hint = f" {near}" if near else ""
            ctx.fail(
                f'there is no command "{ctx.command_path} {args[0]}" '
                f"(there are: {', '.join(self.commands)}).{hint}"
            )
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of its commands, in the order in which people need them."""
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _epilog(self, ctx, formatter)
        super().format_epilog(ctx, formatter)


def _epilog(
    command: ExampleCommand | CommandFamily, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    if command.shapes:
        with formatter.section("JSON"):
            for flag, shape in command.shapes:
                formatter.write_text(f"{flag}: {shape}")
    if command.examples:
        with formatter.section("Examples"):
            pad = " " * formatter.current_indent
            for subject, line in command.examples:
                formatter.write(f"{pad}# {subject}\n{pad}{line}\n")
