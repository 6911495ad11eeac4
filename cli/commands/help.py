"""heddle help: the help page, with the commands that extensions add."""

import click

from heddle.cli.group import ExampleCommand


@click.command(
    cls=ExampleCommand,
    short_help="Show help, with the commands that extensions add.",
    examples=[
        ("Everything there is", "heddle help"),
        ("One command", "heddle help start"),
    ],
)
@click.argument("name", required=False, metavar="[COMMAND]")
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show the help of COMMAND, or of heddle itself with the commands that extensions add."""
    from heddle.cli.main import cli, of_extensions

    root = ctx.find_root()
    if name is not None:
        _, target, _ = cli.resolve_command(root, [name])
        if target is None:
            raise RuntimeError("there is no such command")
        inner = click.Context(target, info_name=name, parent=root)
        click.echo(target.get_help(inner))
        return
    click.echo(cli.get_help(root))
    more = of_extensions()
    if more:
        width = max(len(each) for each in more)
        click.echo("\nCommands of extensions:")
        for each, target in sorted(more.items()):
            click.echo(f"  {each:<{width}}  {target.get_short_help_str(100)}")
