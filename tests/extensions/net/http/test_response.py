"""What answers look like as responses, told without a socket."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import Peer, make_request
from heddle.extensions.net.http.response import (
    AnswerMode,
    is_envelope,
    is_response,
    phrase,
    respond,
    status_of,
)
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.errors import NOTHING, Error

HEAD = parse_head(b"Host: x", 11, HttpLimits())


@pytest.mark.parametrize(
    ("answer", "envelope"),
    [
        ({"body": 1}, True),
        ({"status": 404}, True),
        ({"header": {}}, True),
        ({"method": "GET", "path": "/", "body": None, "params": {}, "remote": ""}, True),
        ({}, False),
        ({"a": 1}, False),
        ({"method": "GET", "path": "/"}, False),
        ({"status": "active", "id": 7}, False),
        ({"body": "x", "title": "y"}, False),
    ],
)
def test_envelope_is_told_from_a_plain_map(answer: dict[str, Any], envelope: bool) -> None:
    assert is_envelope(answer) is envelope


def test_plain_map_is_the_body_itself() -> None:
    assert respond({"status": "active", "id": 7}, HEAD)[2] == b'{"status":"active","id":7}'
    assert respond({}, HEAD)[2] == b"{}"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (NOTHING, 204),
        ("x", 200),
        ({"body": "x"}, 200),
        ({"status": 0}, 200),
        ({"status": 404}, 404),
        ({"status": 404.0}, 404),
        ({"status": "404"}, 404),
        ({"a": 1}, 200),
        (Error("x"), 500),
        (Error("x", code="timeout"), 504),
        (Error("x", code="dropped"), 503),
        (Error("x", cause=RequestError("y", 413)), 413),
        (Error("x", cause=ValueError("y")), 500),
    ],
)
def test_status_is_known_before_the_reply(answer: Any, status: int) -> None:
    assert status_of(answer) == status
    assert respond(answer, HEAD)[0] == status


def test_status_that_is_none_is_a_500_beforehand() -> None:
    assert status_of(HttpResponse(status="teapot")) == 500
    assert status_of({"status": "teapot"}, "response") == 500
    with pytest.raises(AnswerError):
        respond(HttpResponse(status=False), HEAD)


MAPS = st.dictionaries(
    st.sampled_from(["status", "header", "body", "method", "path", "other"]),
    st.one_of(
        st.none(), st.booleans(), st.integers(-1, 700), st.text(max_size=5), st.lists(st.integers()),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
    ),
)  # fmt: skip


@given(MAPS, st.sampled_from(["auto", "data"]))
def test_data_never_fails_and_its_status_is_known(answer: dict[str, Any], mode: AnswerMode) -> None:
    status, _, body, _ = respond(answer, HEAD, mode)
    assert status_of(answer, mode) == status
    if not is_response(answer, mode):
        assert status == 200
        assert isinstance(body, bytes)
        assert msgspec.json.decode(body) == answer
    assert respond(HttpResponse(body=answer), HEAD, mode)[2] == msgspec.json.encode(answer)


def test_bad_request_is_told_to_the_client_who_made_it() -> None:
    status, _, body, _ = respond(Error("inside", cause=RequestError("your JSON is broken")), HEAD)
    assert (status, body) == (400, b"your JSON is broken")


def test_request_answered_back_keeps_its_secrets() -> None:
    lines = (
        b"Host: x\r\nCookie: s=1\r\nAuthorization: Basic x\r\nX-Mine: 1\r\nContent-Type: text/plain"
    )
    head = parse_head(lines + b"\r\nContent-Length: 2", 11, HttpLimits())
    request = make_request(
        parse_line(b"POST / HTTP/1.1", HttpLimits()), head, b"hi", Peer("http", None), None
    )
    for answer in (request, dict(request), request.with_fields(params={})):
        status, out, body, _ = respond(answer, head)
        assert (status, body) == (200, b"hi")
        assert out == b"X-Mine: 1\r\nContent-Type: text/plain\r\n"


def test_names_stay_as_the_flow_wrote_them() -> None:
    assert respond({"header": {"X-MiXed": "ü"}}, HEAD)[1] == "X-MiXed: ü\r\n".encode()


def test_header_values_are_trimmed_text() -> None:
    answer = {"header": {"A": " x ", "B": 1, "C": True, "D": [], "E": ["1", 2]}}
    assert respond(answer, HEAD)[1] == b"A: x\r\nB: 1\r\nC: true\r\nE: 1\r\nE: 2\r\n"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (799, ""),
    ],
)
def test_phrases_are_those_of_the_standard_whatever_python_calls_them(
    status: int, words: str
) -> None:
    assert phrase(status) == words
