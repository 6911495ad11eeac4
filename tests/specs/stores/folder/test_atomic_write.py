"""Files are written all together or not at all, and each is whole at every moment."""

from contextlib import suppress
from pathlib import Path

import pytest

from heddle.schemas.errors import ConflictError, StoreError
from heddle.specs.stores.folder.atomic_write import write_files
from tests.specs.stores.folder.failing_calls import before_call


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_files_are_changed_made_and_removed_together(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    write_files(
        {
            str(tmp_path / "a"): (b"1", b"2"),
            str(tmp_path / "b"): (b"1", None),
            str(tmp_path / "new" / "c"): (None, b"3"),
        }
    )
    assert names(tmp_path) == ["a", "new"]
    assert (tmp_path / "a").read_bytes() == b"2"
    assert (tmp_path / "new" / "c").read_bytes() == b"3"


def test_what_somebody_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"theirs")
    with pytest.raises(ConflictError, match="b was changed by somebody else"):
        write_files({str(tmp_path / "a"): (b"1", b"2"), str(tmp_path / "b"): (b"1", b"2")})
    assert (tmp_path / "a").read_bytes() == b"1"
    assert names(tmp_path) == ["a", "b"]


def test_when_one_file_cannot_be_placed_the_others_are_put_back(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    # The last one fails only when the others are in place: there is nothing to remove.
    contents: dict[str, tuple[bytes | None, bytes | None]] = {
        str(tmp_path / "a"): (b"1", b"2"),
        str(tmp_path / "new"): (None, b"2"),
        str(tmp_path / "gone"): (None, None),
    }
    with pytest.raises(StoreError, match="cannot be written"):
        write_files(contents)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_folder_that_cannot_be_made_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(StoreError):
        write_files({str(tmp_path / "b"): (None, b"2"), str(tmp_path / "a" / "c"): (None, b"2")})
    assert names(tmp_path) == ["a"]


def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "b").chmod(0o444)
    for new in (b"2", None):
        with pytest.raises(StoreError, match="b cannot be written: it is read-only"):
            write_files({str(tmp_path / "a"): (b"1", b"2"), str(tmp_path / "b"): (b"1", new)})
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"1"


def test_all_files_of_one_set_changed_at_one_time(tmp_path: Path) -> None:
    stamp = 1_700_000_000_123_456_000
    (tmp_path / "a").write_bytes(b"1")
    write_files({str(tmp_path / "a"): (b"1", b"2"), str(tmp_path / "b"): (None, b"2")}, stamp=stamp)
    assert {(tmp_path / name).stat().st_mtime_ns for name in "ab"} == {stamp}


def test_a_link_that_leads_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "out").symlink_to(other)
    (root / "inside").mkdir()
    (root / "in").symlink_to(root / "inside")
    with pytest.raises(StoreError, match="cannot be written: a link leads out of the folder"):
        write_files({str(root / "out" / "a"): (None, b"1")}, root=str(root))
    assert names(other) == []
    write_files({str(root / "in" / "a"): (None, b"1")}, root=str(root))
    assert names(root / "inside") == ["a"]


def test_link_that_comes_in_between_any_two_calls_leads_nowhere(tmp_path: Path) -> None:
    """Somebody may put a link in the place of a folder while it is written: all goes into the folder, or fails."""
    for number in range(400):
        base = tmp_path / str(number)
        root, inner, other = base / "root", base / "root" / "inner", base / "other"
        inner.mkdir(parents=True)
        other.mkdir()
        for folder in (inner, other):
            (folder / "a").write_bytes(b"1")

        def swap(inner: Path = inner, base: Path = base, other: Path = other) -> None:
            inner.rename(base / "away")
            inner.symlink_to(other)

        with before_call(number, swap) as calls, suppress(StoreError):
            write_files(
                {str(inner / "a"): (b"1", b"2"), str(inner / "b"): (None, b"2")}, root=str(root)
            )
        assert names(other) == ["a"], calls
        assert (other / "a").read_bytes() == b"1", calls
        if len(calls) <= number:
            assert number > 10
            return
    raise AssertionError("there is no end of calls")
