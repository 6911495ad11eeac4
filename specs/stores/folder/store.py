"""The folder store keeps Specs and Values in YAML files that people edit; a single file is one too.

It is longer than other files, as reading, writing and watching share one lock: none of them may see the
half of another.
"""

# One file: it keeps the whole contract of a store, and each method is short; what is large stands
# in modules beside it.

# Paths are text here, as the kernel tells them.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH119, PTH120, PTH208, ASYNC240

import asyncio
import os
import time
from collections import deque
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from uuid import UUID

from heddle.schemas.errors import NotFoundError, StoreError
from heddle.schemas.problem import Place, Problem
from heddle.specs.files.debounce import LONGEST, QUICK, SLOW, PathDebounce
from heddle.specs.files.notices import EVERYTHING, REMOVED
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource, AcceptedState
from heddle.specs.model.index import Step, key_of, net, plan
from heddle.specs.model.keyed import put_under
from heddle.specs.model.lease import Holder, Lease
from heddle.specs.model.report import Report
from heddle.specs.model.revision import NO_NOTE, Note, Revision
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.broadcast import ChangeFeed
from heddle.specs.stores.folder.accepted_file import AcceptedFile
from heddle.specs.stores.folder.file_layout import filed, misplaced, rewritten
from heddle.specs.stores.folder.journal import Journal
from heddle.specs.stores.folder.notifier import Notifier, notifier
from heddle.specs.stores.folder.off_loop import Aside
from heddle.specs.stores.folder.recent_files import RecentFiles
from heddle.specs.stores.folder.recorder import Recorder
from heddle.specs.stores.folder.report_files import Noticeboard
from heddle.specs.stores.folder.spec_files import FEW, SpecFiles
from heddle.specs.stores.folder.state_folder import StateFolder, lock_path, state_of
from heddle.specs.stores.folder.write_log import WriteLog
from heddle.specs.stores.folder.writer_lock import LOCKS
from heddle.specs.stores.lease_file import FileLease, machine_lease
from heddle.specs.yaml.document import failed

T = TypeVar("T")

AGAIN = 1.0
"""Seconds until what could not be read is looked at again, whether anything tells of a change or not."""

RARELY = 60.0
"""Seconds of the longest pause between two tries to finish a change set; each pause is twice as long."""


class FolderStore:
    """A Store in the YAML and JSON files below a folder, or in a single file.

    A file with a Problem keeps what it said when it was sound: half of an edit never goes live.
    A file that never was sound gives what is sound in it. If two files use one name, the one
    that had it first keeps it. An entry without `namespace` belongs to `default`, whoever looks.
    Revisions are times, in microseconds since 1970.

    It records what is applied in a Journal (`history.jsonl` in its state folder), which begins with
    the first `apply`; what was edited by hand in between is noticed with the next one, or when the
    history is asked for. `state` is the state folder; see heddle.specs.stores.folder.state_folder.

    A folder that is gone, or an empty one in the place of one that was not, changes nothing: what it
    held stays, `problems` says so, and it is read again when it is back.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        polling: bool | None = None,
        state: str = "",
    ) -> None:
        """`state` is the folder of its state; empty for the one that it has by itself."""
        self._path = os.fspath(path)
        self._root = self._path
        self._given = state
        self.state = StateFolder("")
        self._moves = 0
        self._polling = polling
        self._files = SpecFiles(self._path)
        self._journal = Journal("")
        self._recent = RecentFiles(self._root)
        self._board = Noticeboard("")
        self._accepted = AcceptedFile("")
        self._recorder = Recorder(self._files, self._journal)
        self._log = WriteLog("")
        self._finishing: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._next_try = 0.0
        self._feed = ChangeFeed()
        self._settling: PathDebounce | None = None
        self._notifier: Notifier | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._open = False
        self._aside = Aside(self._publish)
        # Never swapped for another: a thread may be adding to it.
        self._changes: deque[ChangeSet] = deque()
        # What is accepted stands in a file of its own: nobody has to wait for it to read the specs.
        self._accepting = Aside()
        self._reporting = Aside()
        self._failed: Problem | None = None
        self._unfinished: Problem | None = None
        self._following: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """`file://` and the path as it was given."""
        return f"file://{self._path}"

    async def open(self) -> None:
        """Read everything; StoreError when there is no such folder or file, or it cannot be read."""
        single = not os.path.isdir(self._path)
        try:
            if single:
                os.stat(self._path)
            else:
                os.listdir(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: {(error.strerror or str(error)).lower()}") from None
        # The working folder may be moved: what we were given stands where it stood.
        self._root = self._files.root = os.path.abspath(self._path)
        self._recent = RecentFiles(self._root)
        self._files.single = single
        self.state = state_of(self._path, single=single, folder=self._given)
        self._use_state()
        SPARE.keep()
        self._open = True
        self._files.refresh(None)
        if self._log.there:
            async with self._journal.locked(0) as alone:
                # If it fails it is a Problem: that must not keep what is there from being served.
                with suppress(StoreError):
                    await self._finish(alone)

    async def close(self) -> None:
        """Stop watching; the files stay."""
        self._open = False
        self._stop()
        for task in self._following:
            task.cancel()
        for aside in (self._aside, self._accepting, self._reporting):
            await aside.do(lambda: None, long=False)
        self._feed.end()

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """Return the Specs of a namespace (None: of all); with `ids` only those that exist."""
        await self._look()
        return self._files.index.find(Spec, namespace, ids)

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all); with `ids` only those that exist."""
        await self._look()
        return self._files.index.find(Value, namespace, ids)

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        await self._look()
        return self._files.index.with_names(namespace, names)

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return the Specs of a namespace that mention one of these texts; see IndexedStore."""
        await self._look()
        return await self._aside.by_turns(lambda: self._files.index.mentioning(namespace, words))

    async def problems(self) -> Sequence[Problem]:
        """Return what is wrong in the files at this moment, file by file; and in the history, once it was read."""
        await self._look()
        if not self._log.there:
            self._note_unfinished("")
        own = [each for each in (self._failed, self._unfinished) if each is not None]
        return [*own, *self._files.problems, *self._files.outside, *self._journal.problems]

    async def invalid(self, namespace: str | None = None) -> Sequence[Spec]:
        """Return the Specs in files with Problems, as far as they can be read, that do not count."""
        await self._look()
        return [spec for spec in self._files.invalid if namespace in (None, spec.namespace)]

    async def newest(self) -> int:
        """Return when something in it changed last, in microseconds since 1970: its revisions are times."""
        await self._look()
        return self._files.newest

    async def look(self, namespace: str) -> bool:
        """Read the files that hold Values of this namespace, or would, if they changed; see Looking."""
        self._check_open()
        homes = await self._aside.do(lambda: self._files.homes(namespace), long=False)
        # Before, not after: what has just been saved by then was not read.
        left = self._files.left(homes)
        await self._aside.do(
            lambda: self._refresh(homes, careful=True), long=self._files.long(list(homes))
        )
        return not left

    async def misplaced(self, steps: Sequence[Step]) -> Sequence[Problem]:
        """Return the Problems of those whose file may not be written; see Placing."""
        await self._look()

        def look() -> Sequence[Problem]:
            return misplaced(self._files, [step for step in steps if step[0] != step[1]])

        return await self._aside.do(look, long=len(steps) > FEW)

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Write all of them into the files as one change set, or none; see Store.apply.

        What is there is changed if it stands, comments and style kept; what is new goes into the
        file that its annotation `heddle/file` names, else into `<namespace>.yaml`, or into the file
        of the store. StoreError when a file cannot be written. That it cannot be recorded hinders
        nothing. It waits a moment while another process writes into the same folder, or an editor is
        in the midst of saving a file.
        """
        self._check_open()
        self._prepare()
        async with self._journal.locked() as alone:
            await self._finish(alone)
            await self._still()
            await self._look(always=True)
            if self._files.lost:
                raise StoreError(f"{self._path} cannot be written: {self._files.lost}")
            key = note.key
            made = (
                await self._look_back(lambda: self._journal.keyed(key)) if key is not None else None
            )
            if made is not None:
                return put_under(changes, made)
            return await self._aside.do(
                lambda: self._write(changes, note, alone),
                long=len(changes) > FEW
                or self._files.long(self._homes(changes))
                or self._journal.behind
                or not self._recorder.synced,
            )

    def _write(self, changes: Sequence[Change], note: Note, alone: bool) -> list[Resource]:
        """Write all of them, or none; return what is put."""
        from heddle.specs.stores.folder.atomic_write import write_files

        number = max(self._files.newest + 1, time.time_ns() // 1000)
        steps = plan(self._files.index, changes, lambda before: max(before + 1, number))
        changed = net(steps)
        edits = filed(self._files, changed)
        try:
            contents = {
                self._files.full(name): rewritten(self._files, name, each)
                for name, each in edits.items()
            }
        except OSError as error:
            raise StoreError(
                f"{error.filename}: {(error.strerror or str(error)).lower()}"
            ) from error
        recording = alone and bool(changed) and self._recorder.begin()
        root = None if self._files.single else self._root
        log = self._log if recording and LOCKS else None
        removed = (old.id for old, new in changed if old is not None and new is None)
        self._log.describe(number, note, removed)
        write_files(contents, stamp=number * 1000, root=root, log=log)
        self._refresh(edits)
        self._files.written(edits)
        self._files.newest = max(self._files.newest, number if changed else 0)
        if recording:
            self._recorder.record(changed, number, note)
            self._log.end()
        index = self._files.index
        return [index.get(key_of(new)) or new for _, new in steps if new is not None]

    async def _finish(self, alone: bool) -> None:
        """Finish what a process that ended in the midst of it was writing; only who is alone may do that."""
        if not self._log.there:
            self._note_unfinished("")
        elif alone:
            try:
                await self._aside.do(self._finish_write, long=True)
            except StoreError as error:
                self._note_unfinished(str(error))
                raise
            self._note_unfinished("")
        elif self._journal.lock_failure:
            self._note_unfinished(
                f"{self._journal.lock_failure}: an earlier change set cannot be finished"
            )

    def _finish_write(self) -> None:
        from heddle.specs.stores.folder.atomic_write import finish_write

        try:
            write = self._log.read()
            if write is not None:
                root = os.path.realpath(self._root)
                finish_write(write, os.path.dirname(root) if self._files.single else root)
        except OSError as error:
            path = error.filename or self._log.path
            raise StoreError(
                f"{path}: an earlier change set cannot be finished: {(error.strerror or str(error)).lower()}"
            ) from error
        self._refresh(None)
        self._recorder.begin(write)
        self._log.end()

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on; those of other namespaces may be among them."""
        self._check_open()
        del namespace  # a change set only tells where to look: what is elsewhere does no harm
        return self._feed.watch(self._start, self._stop_unwatched)

    async def _still(self) -> None:
        """Wait while somebody is in the midst of saving a file: half of a file is not what it says."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        while await self._moving() and loop.time() < end:  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(QUICK)
        self._check_open()

    async def _moving(self) -> bool:
        names = self._touched()
        if names is None:
            return await self._aside.do(self._files.moving, long=self._files.many)
        return await self._aside.do(lambda: self._files.moving(names), long=self._files.long(names))

    # --- looking back ---

    async def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions since the first `apply`, the newest first; see Recording.history."""
        await self._notice()
        return await self._look_back(
            lambda: self._journal.history(namespace, before=before, limit=limit)
        )

    async def revision(self, number: int) -> Revision:
        """Return one Revision; raise NotFoundError if there is none of that number.

        That the files changed last without a change of what they say is a Revision without turns.
        """
        await self._notice()
        try:
            return await self._look_back(lambda: self._journal.revision(number))
        except NotFoundError:
            # Before the first recorded change only what the files say now is known to have been.
            known = self._journal.newest or self._files.newest - 1
            if known < number <= self._files.newest:
                return Revision(number=number, time=number / 1_000_000)
            raise

    async def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key, None if there is none; see Keyed."""
        await self._notice()
        return await self._look_back(lambda: self._journal.keyed(key))

    async def _look_back(self, question: Callable[[], T]) -> T:
        """Ask the Journal; raise StoreError if it cannot be read."""
        try:
            return await self._aside.do(question, long=self._journal.slow)
        except OSError as error:
            # Not as if nothing had ever been: whoever asks may decide by it who is let in.
            raise StoreError(
                f"the history cannot be read: {(error.strerror or str(error)).lower()}"
            ) from error

    async def _notice(self) -> None:
        """Record what was edited by hand, if anything is recorded."""
        self._check_open()
        if self._journal.there:
            async with self._journal.locked() as alone:
                await self._finish(alone)
                await self._still()
                await self._look(always=True)
                if alone:
                    await self._aside.do(self._recorder.begin, long=self._recorder.slow)

    # --- runtimes ---

    async def report(self, report: Report) -> None:
        """Keep this Report in a file of its own; raise StoreError if it cannot be written."""
        self._check_open()
        self._prepare()
        if self.state.reason:
            raise StoreError(f"the state folder cannot be written: {self.state.reason}")
        board = self._board
        await self._reporting.do(lambda: board.put(report), long=True)

    def _prepare(self) -> None:
        """Make the state folder with the first write, and once in each folder that took its place."""
        if self._moves != self._files.moves and not self._files.bare:
            self._moves = self._files.moves
            self.state.renew()
        path = self.state.path
        self.state.prepare()
        if self.state.path != path or not self._files.marker:
            self._use_state()

    def _use_state(self) -> None:
        """Use the files of the state folder; one beside the specs shows that their folder is the same."""
        prefix = f"{os.path.basename(self._root)}." if self._files.single else ""
        path = self.state.file(f"{prefix}history.jsonl")
        if path != self._journal.path:
            self._journal = Journal(path)
            self._recorder = Recorder(self._files, self._journal)
            self._log = WriteLog(self.state.file(f"{prefix}writing.jsonl"))
            self._board = Noticeboard(self.state.file(f"{prefix}runtimes"))
            self._accepted = AcceptedFile(self.state.file(f"{prefix}accepted.jsonl"))
        if self.state.beside and self.state.there and not self._files.single:
            self._files.marker = self.state.path

    async def withdraw(self, runtime: str) -> None:
        """Drop the Report of a runtime that ends."""
        board = self._board
        await self._reporting.do(lambda: board.drop(runtime), long=True)

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        self._check_open()
        board = self._board
        return await self._reporting.do(lambda: board.all(namespace), long=True)

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what a runtime accepted last in this namespace."""
        self._check_open()
        return await self._accepting.do(lambda: self._accepted.read(namespace), long=True)

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records in a file beside the history; raise StoreError if it cannot be written."""
        self._check_open()
        self._prepare()
        if self.state.reason:
            raise StoreError(f"the state folder cannot be written: {self.state.reason}")
        async with self._journal.locked() as alone:
            if not alone:
                raise StoreError(
                    f"{self._accepted.path} cannot be written: it is locked, or has no folder"
                )
            await self._accepting.do(
                lambda: self._accepted.write(namespace, kept, dropped), long=True
            )

    def lease(self, name: str, ttl: float, holder: Holder) -> Lease:
        """Return the lease of this name: the lock of a file beside the history, on this machine.

        If no file can be made there, it is one of the machine, for this folder.
        """
        del ttl
        whole = os.path.realpath(self._path)
        apart = machine_lease([f"file://{whole}", name], holder)
        folder = os.path.join(os.path.dirname(self._journal.path), "leases")
        return FileLease(lambda: lock_path(folder, name) or apart.path, holder)

    # --- watching ---

    def _start(self) -> None:
        if self._settling is not None:
            return
        self._settling = PathDebounce(self._changed)
        self._notifier = notifier(self._root, self._settling, polling=self._polling)
        try:
            self._notifier.open()
        except OSError as error:
            self._stop()
            raise StoreError(f"{self._path} cannot be watched: {error.strerror}") from error
        # From now on others run beside it: what takes long is done in a thread.
        self._files.aside = True
        self._look_later(frozenset(), left=False)
        if not self._aside.free:
            # A thread reads the files at this moment, for somebody who came before.
            self._changed(frozenset({EVERYTHING}))
            return
        self._refresh(None)
        self._publish()
        if self._files.again:
            self._settling.touch(EVERYTHING, AGAIN)

    def _stop_unwatched(self) -> None:
        if not self._feed.watched:
            self._stop()

    def _stop(self) -> None:
        if self._notifier is not None:
            self._notifier.close()
        if self._settling is not None:
            self._settling.close()
        if self._retry is not None:
            self._retry.cancel()
        if self._finishing is not None:
            self._finishing.cancel()
        self._notifier = self._settling = self._retry = self._finishing = None

    def _changed(self, paths: frozenset[str]) -> None:
        names: list[str] | None = None
        if REMOVED in paths:
            self._files.removed = True
            paths = paths - {REMOVED} | {EVERYTHING}
        if EVERYTHING not in paths:
            names = [self._recent.name(path) for path in paths]
        self._recent.note(paths)
        if not self._files.long(names) and self._aside.free:
            left = False
            with self._retrying(paths):
                self._refresh(names, careful=True)
                left = self._files.left(names)
            self._publish()
            self._look_later(paths, left=left)
            return
        self._begin(self._follow(paths, names))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _follow(self, paths: frozenset[str], names: list[str] | None) -> None:
        """Read what changed in a thread, as it may take long."""
        left = False

        def look() -> bool:
            self._refresh(names, careful=True)
            return self._files.left(names)

        with self._retrying(paths):
            left = await self._aside.do(look, long=self._files.long(names))
        if self._open:
            self._look_later(paths, left=left)

    @contextmanager
    def _retrying(self, paths: frozenset[str]) -> Iterator[None]:
        """Have these looked at again if it fails for a reason that may pass, else everything.

        A failure of the second kind is a defect of Heddle, and a Problem until all could be read.
        """
        try:
            yield
        except Exception as error:
            passing = is_passing(error)
            if not passing:
                self._note_failure(failed(error, self._path))
            if self._settling is not None:
                for path in paths if passing else (EVERYTHING,):
                    self._settling.touch(path, AGAIN)
        else:
            if EVERYTHING in paths:
                self._note_failure(None)

    def _note_failure(self, problem: Problem | None) -> None:
        """Tell those who watch that the files cannot be looked at, or can again."""
        if problem != self._failed:
            self._failed = problem
            self._announce(problem)

    def _note_unfinished(self, reason: str) -> None:
        """Tell those who watch, once, why a change set cannot be finished, or that none is left."""
        problem = Problem(
            code="unfinished",
            found=reason,
            hint=f"Make it writable; or remove {self._log.path}, and check the files yourself",
            place=Place(self._log.path),
        )
        before, self._unfinished = self._unfinished, problem if reason else None
        if before != self._unfinished:
            self._announce(self._unfinished)

    def _announce(self, problem: Problem | None) -> None:
        self._changes.append(
            ChangeSet(
                problems=() if problem is None else (problem,),
                origin=f"file://{self._path}",
                revision=self._files.newest,
            )
        )
        self._publish()

    def _look_later(self, paths: frozenset[str], *, left: bool) -> None:
        """Look again at what is left."""
        if self._settling is None:
            return
        if left:
            for path in paths:
                self._settling.touch(path, SLOW)
        if self._files.again and self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(AGAIN, self._look_again)
        if self._finishing is None and (self._log.there or self._unfinished is not None):
            # Who writes is done by then, else it has ended in the midst of it; and a log that was removed
            # during a try ends the Problem.
            call = self._finish_later
            self._finishing = asyncio.get_running_loop().call_later(AGAIN, call)

    def _finish_later(self) -> None:
        """Finish a change set whose process has ended, less and less often; look each time if it is gone."""
        self._finishing = None
        now = asyncio.get_running_loop().time()
        if not self._log.there:
            self._pause = 0.0
            self._note_unfinished("")
        elif now < self._next_try:
            self._look_later(frozenset(), left=False)
        else:
            self._pause = min(self._pause * 2 or AGAIN, RARELY)
            self._next_try = now + self._pause
            self._begin(self._finish_for_others())

    async def _finish_for_others(self) -> None:
        # What fails for a reason that is known is a Problem by then, and is tried again here.
        with self._retrying(frozenset()), suppress(StoreError):
            async with self._journal.locked(0) as alone:
                await self._finish(alone)
        if self._open:
            self._look_later(frozenset(), left=False)

    def _look_again(self) -> None:
        self._retry = None
        if self._settling is not None:
            self._settling.touch(EVERYTHING)

    def _refresh(self, names: Iterable[str] | None, *, careful: bool = False) -> None:
        """Read what changed among these files; it is published once the work in hand has ended."""
        change_set = self._files.refresh(names, careful=careful)
        if change_set is not None:
            self._changes.append(change_set)

    def _publish(self) -> None:
        """Tell those who watch what was read. Not in a thread."""
        while self._changes:
            change_set = self._changes.popleft()
            if self._open:
                self._feed.publish(change_set)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"the store {self.url} is not open")

    async def _look(self, *, always: bool = False) -> None:
        """See what changed, unless a watcher tells it anyway."""
        self._check_open()
        if always or self._settling is None:
            names = self._touched()
            long = self._files.many if names is None else self._files.long(names)
            await self._aside.do(lambda: self._refresh(names, careful=always), long=long)
            self._check_open()
        elif not self._aside.free:
            # What is being read is not to be seen half.
            await self._aside.do(lambda: None, long=False)

    def _touched(self) -> list[str] | None:
        """Return the files that changed a moment ago; None if that may be any.

        While the folder is watched, the kernel tells: that costs what changed, not what is there.
        """
        if self._notifier is None or self._settling is None or not self._notifier.poll():
            return None
        self._recent.note(self._settling.pending)
        return self._recent.names()

    def _homes(self, changes: Sequence[Change]) -> list[str]:
        """Return the files that these changes are written to, as far as that is known before."""
        keys = (
            key_of(change.resource) if isinstance(change, Put) else (change.type, change.id)
            for change in changes
        )
        held = (self._files.index.get(key) for key in keys)
        names = (self._files.holder(each) for each in held if each is not None)
        return list({name for name in names if name is not None})
