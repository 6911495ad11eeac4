"""heddle runs: look at runs of workflows, go on with them, and decide about them."""

import click

from heddle.cli.commands.runs_deciding import cancel, complete, prune, resume, retry, skip
from heddle.cli.commands.runs_looking import list_runs, show_events, show_logs, show_run
from heddle.cli.group import CommandFamily


@click.group(
    cls=CommandFamily,
    short_help="Look at runs of workflows, and go on with them.",
    examples=[
        ("What has run here", "heddle runs list"),
        ("Go on with the newest run, after kill -9", "heddle runs resume --last"),
        ("See what it did", "heddle runs show --last"),
    ],
)
def command() -> None:
    """Look at recorded runs of workflows, go on with them, and decide about them.

    RUN is the id of a run, or any unique part of it of at least 6 digits. Commands look in the RunStore
    of the settings and in those that `heddle run` has used from this working directory; `--runs` names
    another one.
    """


for each in (
    list_runs,
    show_run,
    show_logs,
    show_events,
    resume,
    retry,
    skip,
    complete,
    cancel,
    prune,
):
    command.add_command(each)
