"""With spare descriptors the last file can still be read when clients hold all others."""

import errno
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heddle.specs.files.spare import Spare, is_passing, is_short


@contextmanager
def exhausted() -> Iterator[None]:
    """Leave no descriptor free until the block ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    held: list[int] = []
    try:
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            yield
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_fails_for_want_of_a_descriptor_is_done_with_spare_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("text")
    spare, began = Spare(), time.monotonic()
    spare.keep()
    assert not spare.short_since(began)
    with exhausted():
        assert spare.short_since(began)
        for _ in range(3):
            assert spare.attempt(path.read_text) == "text"
    assert spare.short_since(began)
    assert not spare.short_since(time.monotonic())


def test_without_a_spare_one_the_error_says_so(tmp_path: Path) -> None:
    with exhausted(), pytest.raises(OSError, match="Too many open files") as raised:
        Spare().attempt((tmp_path / "a").read_text)
    assert is_short(raised.value)


def test_another_error_is_not_tried_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise FileNotFoundError(errno.ENOENT, "missing")

    with pytest.raises(FileNotFoundError):
        Spare().attempt(work)
    assert calls == [1]


def test_the_cause_of_an_error_tells_whether_it_may_pass() -> None:
    error = ValueError("the certificate cannot be used")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert is_short(error)
    assert is_passing(OSError(errno.ESTALE, "Stale file handle"))
    assert not is_passing(PermissionError(errno.EACCES, "Permission denied"))
