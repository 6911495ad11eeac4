"""What a path leads to shows in its parts, whichever of them is swapped."""

import os
from pathlib import Path

from heddle.specs.identity import LINKS, parts_of, stamp_of


def names(path: Path, below: Path) -> list[str]:
    return [
        os.path.relpath(part.path, below)
        for part in parts_of(str(path))
        if part.path.startswith(str(below) + os.sep)
    ]


def test_every_link_and_folder_on_the_way_is_a_part(tmp_path: Path) -> None:
    (tmp_path / "r1" / "flows").mkdir(parents=True)
    (tmp_path / "now").symlink_to("r1")
    (tmp_path / "current").symlink_to(tmp_path / "now")
    assert names(tmp_path / "current" / "flows", tmp_path) == ["current", "now", "r1", "r1/flows"]


def test_a_swapped_link_anywhere_in_the_path_shows(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        (tmp_path / name / "flows").mkdir(parents=True)
    (tmp_path / "now").symlink_to("r1")
    (tmp_path / "current").symlink_to("now/../now")
    path = str(tmp_path / "current" / "flows")
    before = parts_of(path)
    assert parts_of(path) == before
    (tmp_path / "new").symlink_to("r2")
    (tmp_path / "new").replace(tmp_path / "now")
    assert parts_of(path) != before


def test_a_folder_in_the_place_of_another_shows(tmp_path: Path) -> None:
    (tmp_path / "a" / "flows").mkdir(parents=True)
    (tmp_path / "b" / "flows").mkdir(parents=True)
    before = parts_of(str(tmp_path / "a" / "flows"))
    (tmp_path / "a").rename(tmp_path / "c")
    assert parts_of(str(tmp_path / "a" / "flows"))[-1].missing
    (tmp_path / "b").rename(tmp_path / "a")
    assert parts_of(str(tmp_path / "a" / "flows")) != before


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert 2 <= len(names(tmp_path / "a" / "x", tmp_path)) <= LINKS + 1


def test_another_file_with_the_same_times_and_size_has_another_stamp(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    os.utime(path, ns=(0, 0))
    before = stamp_of(path)
    other.write_text("two")
    os.utime(other, ns=(0, 0))
    path.unlink()
    # The number of a removed file may be given to the next one.
    other.replace(path)
    assert stamp_of(path) != before
    path.write_text("six")
    os.utime(path, ns=(0, 0))
    assert stamp_of(path) != before
    assert stamp_of(tmp_path / "none") is None
