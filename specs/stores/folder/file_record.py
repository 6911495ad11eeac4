"""A SpecFile is what one file of a folder said when it was read last, and what counts of it."""

import msgspec

from heddle.schemas.problem import Problem
from heddle.specs.files.identity import Stamp
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.yaml.document import ReadText

NEVER: Stamp = (0, 0, 0, 0, 0)
"""The stamp of a file that was not read."""


class SpecFile(msgspec.Struct):
    """The content of one file when it was read last."""

    stamp: Stamp = NEVER
    racy: bool = False
    digest: int = 0
    entries: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    invalid: tuple[Spec, ...] = ()
    sound: bool = False
    own: bool = False
    missed: int = 0
    passing: bool = False


def next_record(
    reading: ReadText,
    record: SpecFile | None,
    stamp: Stamp,
    racy: bool,
    digest: int,
) -> SpecFile:
    """Return the file as it counts from now on: a broken one keeps what it said when it was sound."""
    entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
    sound = not reading.problems and reading.whole
    invalid = reading.invalid
    if not sound and record is not None and record.sound:
        entries = record.entries
        invalid = (*reading.specs, *reading.invalid)
    return SpecFile(
        stamp=stamp,
        racy=racy,
        digest=digest,
        entries=entries,
        problems=reading.problems,
        invalid=invalid,
        sound=sound or (record is not None and record.sound),
    )


def kept_revision(new: Resource, old: Resource | None) -> Resource:
    """Return the resource as it stands now, with the revision of the old one if it says the same."""
    if old is None or (old == new and old.revision == new.revision):
        return new
    revision = old.revision if old == new else max(new.revision, old.revision + 1)
    return new if revision == new.revision else msgspec.structs.replace(new, revision=revision)
