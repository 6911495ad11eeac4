"""An Error says what failed; NOTHING is not null."""

import asyncio

import pytest

from heddle.runtime.flow.errors import NOTHING, Error, NodeError


def test_nothing_is_false_and_is_not_null() -> None:
    assert not NOTHING
    assert NOTHING is not None
    assert repr(NOTHING) == "NOTHING"


def test_an_exception_becomes_an_error_that_keeps_it() -> None:
    raised = ValueError("no such thing")
    error = Error.of(raised, symbol="shop", port="in")
    assert (error.message, error.code, error.cause) == ("no such thing", "failed", raised)
    assert (error.symbol, error.port) == ("shop", "in")


def test_an_exception_without_words_is_called_by_its_name() -> None:
    assert Error.of(KeyError()).message == "KeyError"


def test_an_exception_that_cannot_say_its_text_is_called_by_its_name() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    error = Error.of(MuteError(), symbol="shop")
    assert (error.message, error.symbol) == ("MuteError", "shop")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (TimeoutError(), "timeout", "TimeoutError"),
        (TimeoutError("too slow"), "timeout", "too slow"),
        (asyncio.CancelledError(), "cancelled", "what it waited for was cancelled"),
        (SystemExit(1), "failed", "SystemExit: 1"),
        (SystemExit(), "failed", "SystemExit"),
        (KeyError("name"), "failed", "KeyError: 'name'"),
        (RecursionError("maximum recursion depth exceeded"), "failed", None),
    ],
)
def test_codes_are_stable_words(raised: BaseException, code: str, message: str | None) -> None:
    error = Error.of(raised)
    assert error.code == code
    assert error.message == (message or str(raised))


def test_a_failure_keeps_the_error_it_carries() -> None:
    error = Error("sold out", code="stock", data={"left": 0})
    assert Error.of(NodeError(error)) is error
    assert str(NodeError(error)) == "sold out"


def test_a_failure_is_told_where_it_arose_unless_it_knows() -> None:
    error = Error("sold out", code="stock", data=1)
    placed = Error.of(NodeError(error), symbol="shop", port="in")
    assert placed == error
    assert (placed.symbol, placed.port, error.symbol) == ("shop", "in", "")
    assert Error.of(NodeError(placed), symbol="other", port="in") is placed


def test_errors_that_say_the_same_are_equal() -> None:
    assert Error("a", data=1) == Error("a", data=1)
    assert Error("a") != Error("a", code="timeout")
    assert Error("a") != "a"
    assert len({Error("a"), Error("a")}) == 1


def test_an_error_reads_as_its_message() -> None:
    assert str(Error("sold out")) == "sold out"
    assert repr(Error("sold out", code="stock")) == "Error('sold out', code='stock')"
