"""heddle completion: the script that lets a shell complete commands and flags."""

import click

from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON


@click.command(
    cls=ExampleCommand,
    short_help="Print the completion script of a shell.",
    examples=[
        ("bash: in ~/.bashrc", 'eval "$(heddle completion bash)"'),
        ("zsh: in ~/.zshrc", 'eval "$(heddle completion zsh)"'),
        ("fish", "heddle completion fish > ~/.config/fish/completions/heddle.fish"),
    ],
    shapes=[("--json", "{shell, script}")],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@JSON
@click.pass_context
def command(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print a script for SHELL; once it is loaded, TAB completes commands, flags and choices."""
    from click.shell_completion import get_completion_class

    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise RuntimeError("this shell is not known")
    completion = completion_class(ctx.find_root().command, {}, "heddle", "_HEDDLE_COMPLETE")
    # Not source(): it would run the shell to ask for its version.
    script = completion.source_template % completion.source_vars()
    if as_json:
        from heddle.cli.views.output import print_json

        print_json({"shell": shell, "script": script})
        return
    click.echo(script)
