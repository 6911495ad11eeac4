"""heddle tasks: workflows and their tasks, without running them."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.commands.run import LOCAL_STORE
from heddle.cli.commands.runs_looking import LAST, RUNS, look, named_run
from heddle.cli.exit_codes import USAGE
from heddle.cli.group import CommandFamily, ExampleCommand
from heddle.cli.options import EXTENSION, JSON, NAMESPACE, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.runs.target import RunTarget
    from heddle.cli.settings import Settings
    from heddle.extensions.tasks.graph.outline import Outline

TARGET = click.argument("target", required=False)


@click.group(
    cls=CommandFamily,
    short_help="Look at workflows and their tasks.",
    examples=[
        ("The workflows of a folder", "heddle tasks list flows"),
        ("One workflow, and whether its runs are recorded", "heddle tasks show flows:report"),
        ("What a run spent its time on", "heddle tasks critical --last"),
    ],
)
def command() -> None:
    """Look at workflows and their tasks.

    TARGET is a file or a folder, the name of a workflow in the store of the settings, or
    `module:workflow`, as for heddle run.
    """


def find(target: str | None, settings: "Settings") -> "RunTarget":
    """Return the workflow of a TARGET; several are listed, and the exit code is 2."""
    from heddle.cli.extensions import installed
    from heddle.cli.runs.target import SeveralWorkflowsError, find_target

    try:
        return asyncio.run(find_target(target, settings, installed(settings)))
    except SeveralWorkflowsError as several:
        click.echo(f"error: {several}", err=True)
        for name in several.names:
            click.echo(f"  {name}", err=True)
        raise click.exceptions.Exit(USAGE) from None


def outline(target: "RunTarget") -> "Outline":
    """Return the Outline of a workflow; that of the one that it `uses`, if it uses another."""
    from heddle.cli.runs.target import WORKFLOW
    from heddle.extensions.tasks.graph.outline import outline_of
    from heddle.specs.model.spec import Spec

    spec = target.find_spec()
    fields = spec.fields if spec is not None else {}
    used = fields.get("uses")
    if isinstance(used, str):
        for each in target.resources:
            if isinstance(each, Spec) and (each.kind, each.name) == (WORKFLOW, used):
                fields = each.fields
    return outline_of(fields)


@command.command(
    "list",
    cls=ExampleCommand,
    short_help="List workflows and how many tasks they have.",
    examples=[
        ("Of the store", "heddle tasks list"),
        ("Of a folder, for a program", "heddle tasks list flows --json"),
    ],
    shapes=[("--json", "[{workflow, inputs: [text], tasks: [text], place?}]")],
)
@TARGET
@options(LOCAL_STORE, NAMESPACE, EXTENSION, JSON)
def list_workflows(
    target: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """List the workflows of TARGET, a file or folder, or else of the store of the settings."""
    from heddle.cli.extensions import installed
    from heddle.cli.runs.target import read_all, workflows_of
    from heddle.cli.views.output import print_table
    from heddle.cli.views.run_texts import json_text
    from heddle.extensions.tasks.graph.outline import outline_of

    settings = settings_of(config, extensions, **flags)
    resources = asyncio.run(read_all(target, settings, installed(settings)))
    known = workflows_of(resources, settings.namespace)
    data: list[dict[str, Any]] = []
    for name, spec in known.items():
        place = spec.place(())
        inputs = spec.fields.get("inputs")
        data.append(
            {
                "workflow": name,
                "inputs": list(inputs) if isinstance(inputs, dict) else [],
                "tasks": list(outline_of(spec.fields).names),
                **({"place": f"{place.file}:{place.line}"} if place.file else {}),
            }
        )
    if as_json:
        click.echo(json_text(data))
    elif not data:
        click.echo("no workflows")
    else:
        print_table(
            ["workflow", "inputs", "tasks", "place"],
            [
                (
                    each["workflow"],
                    " ".join(each["inputs"]),
                    str(len(each["tasks"])),
                    each.get("place", ""),
                )
                for each in data
            ],
        )


@command.command(
    "show",
    cls=ExampleCommand,
    short_help="Show a workflow: inputs, tasks, dataflows, and whether it is durable.",
    examples=[("The only workflow of a file", "heddle tasks show report.yaml")],
    shapes=[
        (
            "--json",
            (
                "{workflow, durable: boolean, why, inputs: {NAME: type}, "
                "tasks: [{name, work, after: [text], help?}], outputs}"
            ),
        )
    ],
)
@TARGET
@options(LOCAL_STORE, NAMESPACE, EXTENSION, JSON)
def show_workflow(
    target: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show a workflow: its inputs, its tasks and what each waits for, its outputs.

    A run that a command begins is always recorded. Whether one that a packet begins is, and why, stands
    under `durable`.
    """
    from heddle.cli.views.output import print_table
    from heddle.cli.views.run_texts import json_text

    target_workflow = find(target, settings_of(config, extensions, **flags))
    drawn = outline(target_workflow)
    spec = target_workflow.find_spec()
    fields = dict(spec.fields) if spec is not None else {}
    durable, why = explain_durable(fields)
    rows = [
        {"name": name, "work": work, "after": list(upstream), **_help(task)}
        for name, work, upstream, task in zip(
            drawn.names, drawn.works, drawn.upstream(), drawn.tasks, strict=True
        )
    ]
    inputs = fields.get("inputs")
    types = {
        name: str(each.get("type", "any")) if isinstance(each, dict) else "any"
        for name, each in (inputs if isinstance(inputs, dict) else {}).items()
    }
    if as_json:
        data = {
            "workflow": target_workflow.name,
            "durable": durable,
            "why": why,
            "inputs": types,
            "tasks": rows,
            "outputs": fields.get("outputs"),
        }
        click.echo(json_text(data))
        return
    click.echo(target_workflow.line)
    click.echo(f"durable: {'yes' if durable else 'no'}: {why}")
    click.echo(f"inputs: {', '.join(f'{name}: {kind}' for name, kind in types.items()) or 'none'}")
    click.echo("")
    print_table(
        ["task", "work", "waits for", "help"],
        [
            (str(row["name"]), str(row["work"]), " ".join(row["after"]), str(row.get("help", "")))
            for row in rows
        ],
    )


def explain_durable(fields: dict[str, Any]) -> tuple[bool, str]:
    """Return whether a run that a packet begins is recorded, and why."""
    durable = fields.get("durable")
    if isinstance(durable, str):
        return True, f'runs are recorded in the run-store "{durable}"'
    if durable is True:
        return True, "the workflow says durable: true"
    if durable is False:
        return False, "the workflow says durable: false; heddle run records its run all the same"
    if fields.get("idempotency_key") is not None:
        return True, "it has an idempotency_key, which has to outlive a process"
    if fields.get("answer") == "run":
        return True, "it says answer: run, so its runs outlive their callers"
    return False, "a run that a packet begins is in memory; heddle run records its run"


def _help(task: Any) -> dict[str, str]:
    return {"help": str(task["help"])} if task.get("help") else {}


@command.command(
    "levels",
    cls=ExampleCommand,
    short_help="Show the tasks by their distance from the first ones.",
    examples=[("Of the only workflow of a file", "heddle tasks levels report.yaml")],
    shapes=[("--json", "[[text]]")],
)
@TARGET
@options(LOCAL_STORE, NAMESPACE, EXTENSION, JSON)
def show_levels(
    target: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Show the tasks of a workflow by level. Levels are for people: a task waits for its inputs alone."""
    from heddle.cli.views.run_texts import json_text
    from heddle.extensions.tasks.graph.analysis import levels

    ranks = levels(outline(find(target, settings_of(config, extensions, **flags))))
    if as_json:
        click.echo(json_text(ranks))
        return
    for number, names in enumerate(ranks, 1):
        click.echo(f"{number:>3}  {'  '.join(names)}")


@command.command(
    "critical",
    cls=ExampleCommand,
    short_help="Show the chain of tasks that took longest in a run.",
    examples=[("Of the newest run", "heddle tasks critical --last")],
    shapes=[("--json", "{tasks: [{task, seconds}], seconds, total}")],
)
@click.argument("run", required=False)
@options(LAST, RUNS, JSON)
def show_critical(
    run: str | None, last: bool, store: str | None, as_json: bool, config: str | None
) -> None:
    """Show the critical path of a run: to make the run faster, make one of these tasks faster."""
    from heddle.cli.views.run_texts import json_text, seconds_text
    from heddle.cli.views.run_view import RunPage, read_page

    page: RunPage = look(
        named_run(run, last), (settings := settings_of(config)), store, read_page(settings)
    )
    names, total = page.critical()
    spans = {name: page.spans[name][1] - page.spans[name][0] for name in names}
    record = page.view.run
    whole = (record.ended or record.began or record.created) - (record.began or record.created)
    if as_json:
        tasks = [{"task": name, "seconds": round(spans[name], 6)} for name in names]
        click.echo(
            json_text({"tasks": tasks, "seconds": round(total, 6), "total": round(whole, 6)})
        )
        return
    for name in names:
        click.echo(f"{seconds_text(spans[name]):>12}  {name}")
    click.echo(f"{seconds_text(total):>12}  of {seconds_text(whole)}")
