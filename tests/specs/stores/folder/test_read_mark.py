"""A history, or what was accepted, may be written anew by another process: what was read of it holds no more."""

import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.specs.model.accepted import AcceptedResource
from heddle.specs.model.revision import Revision, RevisionChange
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder.accepted_file import AcceptedFile
from heddle.specs.stores.folder.journal import Journal
from heddle.specs.stores.folder.read_mark import ReadMark
from tests.specs.stores.folder.failing_calls import code_of

SHORT = 3000
"""Bytes of a history from which on it is written anew: some ten Revisions."""


def revision(number: int) -> Revision:
    """Return a Revision; all of them are of one length, so that sizes tell nothing."""
    after = spec("one", fields={"v": 1000 + number}, revision=number)
    return Revision(number=1000 + number, time=1.0, turns=(RevisionChange(after=after),))


def append(path: str, numbers: range) -> None:
    """Record Revisions, as a process does that has just begun."""
    journal = Journal(path, limit=SHORT)
    for number in numbers:
        journal.append(revision(number))


@pytest.mark.parametrize("many", [1, 7, 25, 60])
def test_history_is_that_of_the_file_whatever_other_processes_wrote(
    tmp_path: Path, many: int
) -> None:
    path = str(tmp_path / "history.jsonl")
    ours = Journal(path, limit=SHORT)
    ours.begin([])
    number = 0
    for turn in range(8):
        assert code_of(partial(append, path, range(number, number + many))) == 0
        number += many
        if turn % 2:
            ours.append(revision(number))
            number += 1
        fresh = Journal(path)
        assert ours.history() == fresh.history()
        assert ours.state() == fresh.state()
        assert ours.newest == 1000 + number - 1
        assert ours.revision(ours.newest) == revision(number - 1)


def test_answer_is_about_one_file_though_it_is_written_anew_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "history.jsonl")
    ours = Journal(path, limit=SHORT)
    ours.begin([])
    append(path, range(9))
    before = Journal(path).history()
    load = Journal._load

    def load_and_lose(journal: Journal, handle: int) -> None:
        load(journal, handle)
        monkeypatch.setattr(Journal, "_load", load)
        append(path, range(9, 40))

    monkeypatch.setattr(Journal, "_load", load_and_lose)
    assert ours.history() == before
    assert ours.history() == Journal(path).history()


def test_what_was_accepted_is_that_of_the_file_whatever_other_processes_wrote(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "accepted.jsonl")
    ours = AcceptedFile(path, spare=SHORT)

    def write(name: str, number: int, file: AcceptedFile | None = None) -> None:
        record = AcceptedResource.of(spec(name, fields={"v": 1000 + number}))
        (file or AcceptedFile(path, spare=SHORT)).write("default", [record], [])

    number = 0
    for turn in range(12):

        def others(first: int = number, turn: int = turn) -> None:
            for each in range(first, first + turn * 5):
                write("one", each)

        write("two", 7, ours)
        assert code_of(others) == 0
        number += turn * 5
        # As long as it is what the file says, it is not written again; else it has to be.
        write("one", number - 1 if turn % 2 else 0, ours)
        items = AcceptedFile(path).read("default").items
        values = {item.resource.name: getattr(item.resource, "fields", {})["v"] for item in items}
        assert values == {"one": 1000 + (number - 1 if turn % 2 else 0), "two": 1007}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 80)), max_size=12))
def test_mark_holds_as_long_as_the_file_is_only_added_to(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int]]
) -> None:
    path = tmp_path_factory.mktemp("mark") / "file"
    path.write_bytes(b"")
    mark, number, anew = ReadMark(), 0, True
    for replace, lines in steps:
        text = b"".join(b"line %06d\n" % each for each in range(number, number + lines))
        number += lines
        if replace:
            part = path.with_suffix(".part")
            part.write_bytes(text)
            part.rename(path)
            anew = True
        else:
            with path.open("ab") as file:
                file.write(text)
        handle = os.open(path, os.O_RDONLY)
        assert mark.holds(handle) is not anew
        if anew:
            mark, anew = ReadMark(), False
        rest = mark.read(handle)
        assert mark.left(os.fstat(handle)) == 0
        assert path.read_bytes().endswith(rest)
        os.close(handle)
