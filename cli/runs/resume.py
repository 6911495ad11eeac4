"""A command goes on with a run: it gets the workflow from where the run began, and works on it here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.runs.places import RunBook, short
from heddle.cli.runs.session import TARGET, RunEnd, RunSession
from heddle.cli.runs.target import RunTarget, find_target
from heddle.cli.settings import Settings
from heddle.extensions.tasks.run_stores.contract import NoRun, RunRecord
from heddle.schemas.errors import HeddleError

if TYPE_CHECKING:
    from heddle.cli.runs.session import RunWatcher


async def find_in(book: RunBook, text: str) -> tuple[str, RunRecord]:
    """Return the address of the RunStore that has a run, and the run. Raise NoRun with what comes near."""
    try:
        runs, record = await book.find(text)
    except NoRun as error:
        raise _with_recent(error, await book.recent()) from error
    return next(each for each, held in book.stores.items() if held is runs), record


def _with_recent(error: NoRun, newest: Sequence[RunRecord]) -> NoRun:
    """Return the same error with the runs that were meant, perhaps."""
    if error.candidates:
        listed = ", ".join(map(str, error.candidates))
        return NoRun(f"{error}: {listed}", error.candidates)
    if not newest:
        return error
    shown = ", ".join(f"{short(run.id)} ({run.workflow}, {run.status})" for run in newest)
    return NoRun(f"{error}. The newest runs: {shown}", [run.id for run in newest])


async def target_of(
    run: RunRecord, settings: Settings, text: str | None = None
) -> tuple[RunTarget, Settings]:
    """Return the workflow of a run as its source is now. Raise CommandError if it is not there any more.

    `text` names another TARGET than that with which the run began.
    """
    from heddle.cli.extensions import installed

    settings = msgspec.structs.replace(settings, namespace=run.namespace)
    name = text or run.tags.get(TARGET) or run.workflow
    try:
        target = await find_target(name, settings, installed(settings))
    except CommandError as error:
        raise CommandError(
            f"the workflow of the run {short(run.id)} cannot be read: {error}. Name it with --target"
        ) from error
    return target, settings


async def try_target(run: RunRecord, settings: Settings) -> RunTarget | None:
    """Return the workflow of a run, or None if its source cannot be read."""
    try:
        target, _ = await target_of(run, settings)
    except HeddleError:
        return None
    return target


async def resume_run(
    run: UUID,
    address: str,
    target: RunTarget,
    settings: Settings,
    *,
    watcher: "RunWatcher",
    take: bool = False,
    again: bool = False,
    actor: str = "",
) -> RunEnd:
    """Go on with a run in this process, until it ends or is suspended. Raise as RunSession.resume does."""
    from heddle.cli.extensions import installed

    session = RunSession(target, settings, installed(settings), address=address, watcher=watcher)
    return await session.resume(run, take=take, again=again, actor=actor)
