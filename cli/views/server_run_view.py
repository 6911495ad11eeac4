"""A run behind an API, for people and for programs: how it goes on, and how it ended."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import INTERRUPTED
from heddle.cli.runs.server_run import ServerRun
from heddle.cli.views.run_end import reason_text
from heddle.cli.views.run_progress import make_progress
from heddle.cli.views.run_texts import json_text
from heddle.extensions.tasks.status import RunStatus

if TYPE_CHECKING:
    from heddle.cli.settings import Settings


def run_there(
    settings: "Settings",
    workflow: str | None,
    inputs: Mapping[str, Any],
    texts: Mapping[str, str],
    *,
    as_json: bool,
) -> int:
    """Run a workflow behind an API, print how it ended, and return the exit code. Raise HeddleError."""
    server_run = ServerRun(settings, make_progress(quiet=as_json))
    try:
        asyncio.run(server_run.follow(workflow, inputs, texts))
    except KeyboardInterrupt:
        known = server_run.data.get("id", "")
        click.echo(f"the run {known} goes on behind {settings.store}".replace("  ", " "), err=True)
        return INTERRUPTED
    data = server_run.data
    if as_json:
        keys = ("id", "workflow", "status", "outputs", "error", "reason")
        shown = {key: data[key] for key in keys if key in data and data[key] not in ("", None)}
        if data["status"] == RunStatus.COMPLETED:
            shown["outputs"] = data.get("outputs")
        click.echo(json_text(shown))
        return server_run.code
    if data["status"] == RunStatus.COMPLETED:
        click.echo("completed", err=True)
        click.echo(json_text(data.get("outputs")))
        return server_run.code
    error = data.get("error") or {}
    why = error.get("message") or reason_text(str(data.get("reason", "")))
    place = f"{error['symbol']}: " if error.get("symbol") else ""
    click.echo(f"{data['status']}: {place}{why}", err=True)
    return server_run.code
