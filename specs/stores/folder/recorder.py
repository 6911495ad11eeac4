"""A Recorder writes into the Journal of a folder what was applied, and what was edited by hand meanwhile."""

import time
from collections.abc import Sequence

import msgspec

from heddle.specs.model.index import Step, key_of
from heddle.specs.model.record import recorded
from heddle.specs.model.revision import Note, Revision, RevisionChange
from heddle.specs.stores.folder.journal import Journal
from heddle.specs.stores.folder.spec_files import FEW, SpecFiles
from heddle.specs.stores.folder.write_log import PendingWrite

BY_HAND = "edited by hand"
"""The message of a Revision that nobody applied."""


class Recorder:
    """Records the changes of some files in one Journal."""

    def __init__(self, files: SpecFiles, journal: Journal) -> None:
        self.synced = False
        """Whether the Journal says what the files said when it was looked at last."""
        self._files = files
        self._journal = journal

    @property
    def slow(self) -> bool:
        """Whether to begin may take longer than a moment."""
        if self._journal.behind or len(self._files.unrecorded) > FEW:
            return True
        return self._files.many and not self.synced

    def begin(self, write: PendingWrite | None = None) -> bool:
        """Have the Journal say what the files say now; False if it cannot be written.

        With `write`, a change set that another process left unfinished: what changed by it is its own.
        """
        try:
            if self._journal.there:
                for revision in self._edited(write):
                    key = None
                    if write is not None and write.number == revision.number:
                        revision, key = _as_applied(revision, write), write.key
                    self._journal.append(revision, key)
                    # Not before it is on disk: if it fails on the way, the rest is recorded later.
                    self._settle(revision)
            else:
                self._journal.begin(self._files.index.all())
                self._files.unrecorded.clear()
        except OSError:
            return False
        self._files.newest = max(self._files.newest, self._journal.newest)
        self.synced = True
        return True

    def _settle(self, revision: Revision) -> None:
        self._files.unrecorded -= {turn.key for turn in revision.turns}

    def _edited(self, write: PendingWrite | None) -> list[Revision]:
        """Return what the files say otherwise than the Journal: a Revision for each time of a change."""
        state, files = self._journal.state(), self._files
        keys = set(files.unrecorded)
        if not self.synced:
            keys |= {*state, *files.index.keys()}
        turns: dict[int, list[RevisionChange]] = {}
        for key in sorted(keys, key=str):
            was, now = state.get(key), files.index.get(key)
            if now is None and was is not None and files.problems:
                # It may stand in a file that cannot be read at the moment.
                files.unrecorded.add(key)
            elif now is not None and was is not None and recorded(now) == was:
                self._journal.settle(key, now)
                files.unrecorded.discard(key)
            elif now is None and was is None:
                files.unrecorded.discard(key)
            else:
                # Until it is on disk, even if it was compared only because all were.
                files.unrecorded.add(key)
                number = now.revision if now is not None else files.newest
                if now is None and write is not None and key[1] in write.removed:
                    number = write.number
                turns.setdefault(number, []).append(RevisionChange(before=was, after=now))
        last = self._journal.newest
        revisions: list[Revision] = []
        for number, each in sorted(turns.items()):
            last = max(number, last + 1)
            revisions.append(
                Revision(number=last, time=number / 1_000_000, message=BY_HAND, turns=tuple(each))
            )
        return revisions

    def record(self, steps: Sequence[Step], number: int, note: Note) -> None:
        """Record one change set that was written. What cannot be recorded now is noticed later."""
        index = self._files.index
        turns = tuple(
            RevisionChange(before=old, after=index.get(key_of(new)) if new is not None else None)
            for old, new in steps
        )
        revision = Revision(
            number=number,
            time=time.time(),
            author=note.author,
            message=note.message,
            turns=turns,
        )
        try:
            self._journal.append(revision, note.key)
        except OSError:
            return
        self._settle(revision)


def _as_applied(revision: Revision, write: PendingWrite) -> Revision:
    return msgspec.structs.replace(
        revision, time=write.time, author=write.author, message=write.message
    )
