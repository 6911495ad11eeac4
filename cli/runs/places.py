"""The addresses of the RunStores in which commands look for the runs of this working directory.

`heddle run` keeps the runs of a file beside that file. So that `heddle runs show --last` finds them, it
notes the address for its working directory in `$XDG_STATE_HOME/heddle/run-stores`.
"""

# Paths are text here, as in the state folder.
# ruff: noqa: PTH100, PTH109, PTH111, PTH117, PTH118

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.runs.target import RunTarget
from heddle.cli.settings import Settings
from heddle.extensions.tasks.run_stores.contract import NoRun
from heddle.extensions.tasks.run_stores.opener import FILE, default_beside, path_of
from heddle.extensions.tasks.run_stores.runs import Runs, open_runs
from heddle.specs.model.spec import Spec
from heddle.specs.stores.folder.state_folder import state_of

if TYPE_CHECKING:
    from heddle.extensions.tasks.run_stores.contract import RunRecord

NOTES: Final = "run-stores"
"""The file of the user that notes which RunStores were used in which working directory."""

MOST: Final = 200
"""Working directories that are noted; the oldest goes first."""

SHORT: Final = 8
"""Digits of an id that are shown: the last ones, as the first ones are the time."""


def near(address: str) -> str:
    """Return an address as people see it: a path below the working directory without the way there."""
    if address.startswith(("http://", "https://")):
        # That of an API: the RunStore is behind it.
        return address
    path = path_of(address)
    if not path:
        return address
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def short(run: UUID) -> str:
    """Return the id of a run as people see it."""
    return str(run)[-SHORT:]


def address_for(target: RunTarget, settings: Settings, runs: str | None) -> str | None:
    """Return the address of the RunStore of a run, or None if a Spec of the target names it.

    `runs` is the flag `--runs`. Raise RunStoreError with the setting to change if the state folder
    cannot be written.
    """
    if runs:
        return runs
    if any(isinstance(each, Spec) and each.kind == "run-store" for each in target.resources):
        return None
    spec = target.find_spec()
    if spec is not None and isinstance(spec.fields.get("durable"), str):
        return None
    place = target.path or _store_path(settings) or settings.folder
    return default_beside(place, folder=settings.state_folder, setting=settings.run_store)


def known_addresses(settings: Settings, runs: str | None = None) -> Sequence[str]:
    """Return the RunStores that a command looks in: that of `--runs`, or all that are known here."""
    if runs:
        if runs.startswith("memory:"):
            raise CommandError(
                f"{runs}: what is in memory is gone when a command ends (expected: a file or folder)"
            )
        path = path_of(runs)
        if not Path(path).exists():
            raise CommandError(
                f"{runs}: there is no RunStore (expected: a file, or a folder with {FILE})"
            )
        return [runs]
    places = [settings.run_store] if settings.run_store else []
    place = _store_path(settings) or settings.folder
    single = not Path(place).is_dir()
    places.append(state_of(place, single=single, folder=settings.state_folder).file(FILE))
    places += reversed(read_notes().get(os.getcwd(), []))
    seen: dict[str, str] = {}
    for each in places:
        path = path_of(each)
        if path and Path(path).exists():
            seen.setdefault(os.path.realpath(path), each)
    return list(seen.values())


def _store_path(settings: Settings) -> str:
    path = settings.store.removeprefix("file://")
    return "" if "://" in path else path or "."


# -- notes -----------------------------------------------------------------------------------------


def read_notes(environ: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """Return the noted paths of RunStores by working directory, the newest last."""
    with suppress(OSError, ValueError):
        value = json.loads(Path(_notes(environ)).read_bytes())
        if isinstance(value, dict):
            return {key: list(value) for key, value in value.items() if isinstance(value, list)}
    return {}


def note_address(address: str, environ: Mapping[str, str] | None = None) -> bool:
    """Note that a RunStore was used in this working directory; return False if that cannot be kept."""
    path = path_of(address)
    if not path:
        return False
    full, here = os.path.abspath(path), os.getcwd()
    notes = read_notes(environ)
    places = [each for each in notes.pop(here, []) if each != full and Path(each).exists()]
    notes[here] = [*places, full]
    while len(notes) > MOST:
        del notes[next(iter(notes))]
    file = Path(_notes(environ))
    part = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(notes))
        part.replace(file)
    except OSError:
        with suppress(OSError):
            part.unlink()
        return False
    return True


def _notes(environ: Mapping[str, str] | None) -> str:
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "heddle", NOTES)


# -- opened ----------------------------------------------------------------------------------------


class RunBook:
    """The runs of several open RunStores, which a command looks in as if they were in one."""

    def __init__(self, stores: Mapping[str, Runs]) -> None:
        self.stores = stores

    async def newest(self) -> "tuple[Runs, RunRecord]":
        """Return the newest run. Raise NoRun if there is none."""
        runs = [
            (each, records[0])
            for each in self.stores.values()
            if (records := await each.list(limit=1))
        ]
        if not runs:
            raise NoRun("there is no run yet. Begin one with heddle run")
        return max(runs, key=lambda pair: pair[1].created)

    async def find(self, text: str) -> "tuple[Runs, RunRecord]":
        """Return the run that `last`, an id or a unique part of one names. Raise NoRun."""
        if text == "last":
            return await self.newest()
        missing: NoRun | None = None
        entries: list[tuple[Runs, UUID]] = []
        for each in self.stores.values():
            try:
                entries.append((each, await each.find_id(text)))
            except NoRun as error:
                entries += [(each, run) for run in error.candidates]
                missing = error
        if len(entries) == 1:
            runs, run = entries[0]
            return runs, await runs.get(run)
        if entries:
            raise NoRun(
                f'"{text}" is part of the ids of {len(entries)} runs', [run for _, run in entries]
            )
        if missing is None:
            raise NoRun("there is no run yet. Begin one with heddle run")
        if len(self.stores) > 1 and len(text) >= 6:
            raise await self._unknown(text)
        raise missing

    async def _unknown(self, text: str) -> NoRun:
        from heddle.schemas.suggestion import did_you_mean

        recent = [
            short(run.id) for each in self.stores.values() for run in await each.list(limit=50)
        ]
        hint = did_you_mean(text[-SHORT:], recent)
        return NoRun(f'there is no run "{text}". {hint}'.rstrip(". "))

    async def recent(self, limit: int = 5) -> "list[RunRecord]":
        """Return the newest runs of all of them."""
        runs = [run for each in self.stores.values() for run in await each.list(limit=limit)]
        return sorted(runs, key=lambda run: run.created, reverse=True)[:limit]


@asynccontextmanager
async def open_book(addresses: Sequence[str], *, read_only: bool = False) -> AsyncIterator[RunBook]:
    """Open these RunStores until the block ends, to be read alone if so wished. Raise RunStoreError."""
    async with AsyncExitStack() as stack:
        yield RunBook(
            {
                each: await stack.enter_async_context(open_runs(each, read_only=read_only))
                for each in addresses
            }
        )
