"""The file of what was accepted: whole lines count, and it stays small."""

from contextlib import suppress
from pathlib import Path

import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.files.spare import SPARE
from heddle.specs.model.accepted import AcceptedResource
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder.accepted_file import AcceptedFile
from tests.specs.files.test_spare import exhausted
from tests.specs.stores.folder.failing_calls import failing


def record(name: str, text: str = "") -> AcceptedResource:
    return AcceptedResource.of(spec(name, fields={"text": text}))


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    AcceptedFile(str(path)).write("default", [record("a")], [])
    whole = path.read_bytes()
    AcceptedFile(str(path)).write("default", [record("b")], [])
    path.write_bytes(path.read_bytes()[:-9])
    state = AcceptedFile(str(path)).read("default")
    assert (list(state.items), len(state.problems)) == ([record("a")], 1)
    AcceptedFile(str(path)).write("default", [record("c")], [])
    assert path.read_bytes().startswith(whole)
    assert list(AcceptedFile(str(path)).read("default").items) == [record("a"), record("c")]


def test_two_that_write_see_what_the_other_wrote(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    first, second = AcceptedFile(str(path)), AcceptedFile(str(path))
    first.write("default", [record("a"), record("b")], [])
    size = path.stat().st_size
    second.write("default", [record("a"), record("b")], [])
    assert path.stat().st_size == size
    second.write("default", [record("a", "new")], [record("b").key])
    first.write("default", [record("a", "new")], [record("b").key])
    assert list(first.read("default").items) == [record("a", "new")]
    assert path.read_bytes().count(b"\n") == 3


def test_it_is_written_anew_once_most_of_it_is_out_of_date(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    file, other = AcceptedFile(str(path), spare=2000), AcceptedFile(str(path), spare=2000)
    file.write("other", [record("kept")], [])
    for number in range(200):
        (file, other)[number % 2].write("default", [record("a", f"{number}" * 20)], [])
        assert path.stat().st_size < 5000
    assert list(other.read("default").items) == [record("a", "199" * 20)]
    assert list(file.read("other").items) == [record("kept")]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    path.write_text('{"heddle":"accepted","version":2}\n{"anything":1}\n')
    file = AcceptedFile(str(path))
    [problem] = file.read("default").problems
    assert "version 2, this Heddle knows 1" in problem.found
    with pytest.raises(StoreError, match="version 2"):
        file.write("default", [record("a")], [])
    assert "anything" in path.read_text()


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    file = AcceptedFile(str(tmp_path / "gone" / "accepted.jsonl"))
    assert file.read("default").items == ()
    with pytest.raises(StoreError, match="cannot be written"):
        file.write("default", [record("a")], [])
    assert not (tmp_path / "gone").exists()


def test_it_is_read_when_no_file_descriptor_is_free(tmp_path: Path) -> None:
    file = AcceptedFile(str(tmp_path / "accepted.jsonl"))
    file.write("default", [record("a")], [])
    SPARE.keep()
    with exhausted():
        assert list(file.read("default").items) == [record("a")]


def test_what_cannot_be_read_is_not_taken_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    assert AcceptedFile(str(path)).read("default").items == ()
    path.mkdir()
    with pytest.raises(StoreError, match=r"accepted.jsonl cannot be read: is a directory"):
        AcceptedFile(str(path)).read("default")


def test_each_call_of_a_write_may_fail(tmp_path: Path) -> None:
    """Nothing torn is left, and what is written again is kept."""
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = str(folder / "accepted.jsonl")
        file = AcceptedFile(path, spare=1000)
        for version in range(9):
            file.write("default", [record("a", f"{version}" * 60), record("b")], [])
        with failing(number, folder) as calls, suppress(StoreError):
            file.write("default", [record("a", "new" * 60)], [record("b").key])
        state = AcceptedFile(path).read("default")
        assert not state.problems, calls
        assert list(state.items) in (
            [record("a", "8" * 60), record("b")],
            [record("b"), record("a", "8" * 60)],
            [record("a", "new" * 60)],
        )
        file.write("default", [record("a", "new" * 60)], [record("b").key])
        assert list(AcceptedFile(path).read("default").items) == [record("a", "new" * 60)]
        assert [each.name for each in folder.iterdir()] == ["accepted.jsonl"]
        if len(calls) <= number:
            assert number > 5
            return
    raise AssertionError("there is no end of calls")
