"""An expected failure is one line in the log; an unexpected one has its traceback."""

import errno

import pytest

from heddle.extensions.net.http.errors import RequestError
from heddle.runtime.events.events import Events
from heddle.runtime.events.expected import is_expected
from heddle.runtime.flow.errors import Error
from heddle.schemas.errors import HeddleError


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


EXPECTED = [
    Error.of(raised(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))),
    Error.of(raised(TimeoutError())),
    Error.of(raised(ValueError("it"), raised(BrokenPipeError("gone")))),
    Error.of(raised(RequestError("no host"))),
    Error.of(raised(HeddleError("line 1: no such key"))),
    Error("down", code="unreachable", cause=raised(RuntimeError("x"))),
]
UNEXPECTED = [
    Error.of(raised(ValueError("bug"))),
    Error.of(raised(KeyError("x"))),
    Error.of(raised(HeddleError("line 1"), raised(KeyError("x")))),
]


@pytest.mark.parametrize("error", EXPECTED)
def test_an_expected_failure_is_one_line(error: Error) -> None:
    events = Events("default")
    detail = events.failed("broke", error).detail
    assert is_expected(error)
    assert detail
    assert "\n" not in detail
    assert "Traceback" not in detail
    events.tracebacks = True
    assert "Traceback" in events.failed("broke", error).detail


@pytest.mark.parametrize("error", UNEXPECTED)
def test_an_unexpected_failure_has_its_traceback(error: Error) -> None:
    assert "Traceback" in Events("default").failed("broke", error).detail
