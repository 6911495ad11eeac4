"""Texts about runs: times, durations, errors, and the command that goes on with a run."""

import shlex
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from heddle.cli.runs.places import known_addresses, short
from heddle.cli.settings import Settings
from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.opener import path_of


def seconds_text(seconds: float) -> str:
    """Return a duration: `0.512 s`, `3.1 s`, `2 min 05 s`, `3 h 07 min`."""
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def moment_text(at: float | None) -> str:
    """Return a time as people read it here: the clock alone if it is today."""
    if at is None:
        return ""
    moment = datetime.fromtimestamp(at).astimezone()
    today = datetime.fromtimestamp(time.time()).astimezone().date()
    return moment.strftime("%H:%M:%S" if moment.date() == today else "%Y-%m-%d %H:%M:%S")


def error_text(error: Error, place: str = "") -> str:
    """Return an Error with its place: `report.yaml:7: report/load: no such table (failed)`."""
    parts = [part for part in (place, error.symbol) if part]
    code = f" ({error.code})" if error.code and error.code != "failed" else ""
    return ": ".join([*parts, f"{error.message}{code}"])


def resume_command(run: UUID, address: str, settings: Settings) -> str:
    """Return the command that goes on with a run, as it works in this working directory."""
    return run_command("resume", run, address, settings)


def run_command(
    verb: str, run: UUID, address: str, settings: Settings, more: Sequence[str] = ()
) -> str:
    """Return `heddle runs VERB ID`, with `--runs` if the RunStore is not one that is looked in anyway."""
    words = ["heddle", "runs", verb, short(run), *more]
    path = path_of(address)
    known = {str(Path(path_of(each)).resolve()) for each in known_addresses(settings)}
    if str(Path(path).resolve()) not in known:
        words += ["--runs", address]
    return shlex.join(words)


def json_text(data: Any) -> str:
    """Return data as JSON over several lines; what JSON does not know is text."""
    return msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2).decode()
