"""The command line: `heddle start`, `heddle check`, and all the others.

Nothing heavy is imported here: help costs little more than Python and click themselves.
"""

from collections.abc import Callable, Mapping
from typing import Any

import click

from heddle.cli.group import DEBUG, LazyGroup

COMMANDS = {
    "init": "Make a folder to begin with: specs, tests, settings.",
    "start": "Run the specs of a folder, a file or a store.",
    "up": "Run several namespaces, each in processes of its own.",
    "run": "Run a workflow, and print its answer.",
    "runs": "Look at runs of workflows, and go on with them.",
    "tasks": "Look at workflows and their tasks.",
    "check": "Tell everything that is wrong with specs, without running them.",
    "fmt": "Bring spec files into their canonical form.",
    "test": "Run the tests of flows.",
    "get": "Show the specs or values of a store.",
    "plan": "Show what an apply would change.",
    "apply": "Put specs or values into a store.",
    "delete": "Take specs or values out of a store.",
    "status": "Show how a namespace stands in its runtimes.",
    "history": "Show who changed what in a store, when, and why.",
    "show": "Show one revision, or one spec or value with its past.",
    "diff": "Show what tells two revisions, files or folders apart.",
    "merge": "Merge spec files three ways, by node and port.",
    "git": "Have git compare and merge specs by what they say.",
    "rollback": "Bring a store back to what it said at an older revision.",
    "store": "Show how a store stands; migrate its tables, grant rights in them.",
    "value": "Set a value without showing it to anybody.",
    "key": "Make, show and replace the keys that seal secrets.",
    "kinds": "Show the kinds that specs may have, and their fields.",
    "eval": "Try code in any language on a payload.",
    "system": "Show the flows of the API, to copy and to change.",
    "token": "Make, list and revoke the tokens of the API.",
    "sql": "Ask in SQL what a store holds and how it runs.",
    "schema": "Print the JSON Schema that editors complete by.",
    "graph": "Draw specs and their links.",
    "openapi": "Print the OpenAPI document of specs.",
    "help": "Show help, with the commands that extensions add.",
    "completion": "Print the completion script of a shell.",
    "version": "Show the version, and the extensions that are installed.",
}
"""Every command of our own with its short help, in the order of the help page."""


def of_extensions() -> Mapping[str, click.Command]:
    """Return the commands that extensions add, by name; this loads them all."""
    from heddle.cli.extensions import installed

    commands: dict[str, click.Command] = dict(installed().commands)
    return commands


def _guarded(ctx: click.Context, run: Callable[[click.Context], Any]) -> Any:
    """Run a command; what it raises becomes one line and an exit code."""
    from heddle.cli.views.error_boundary import rescued

    return rescued(ctx, run)


def _debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[DEBUG] = True


@click.group(
    cls=LazyGroup,
    package="heddle.cli.commands",
    lazy=COMMANDS,
    more=of_extensions,
    boundary=_guarded,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=False,
    epilog="`heddle COMMAND --help` shows examples. Extensions may add commands: `heddle help`.",
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="HEDDLE_DEBUG",
    expose_value=False,
    callback=_debug,
    help="Show tracebacks.  [also: HEDDLE_DEBUG]",
)
@click.version_option(package_name="heddle-runtime", prog_name="heddle")
def cli() -> None:
    """Heddle runs workflows that are written as specs in YAML, and follows every change of them."""


def main() -> None:
    """Run the command line of this process; never returns."""
    cli.main(prog_name="heddle")
