"""A lazy request behaves as the map it stands for, whoever reads it."""

import copy
import json
import pickle
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.media import to_json
from heddle.extensions.net.http.request import FIELDS, HttpRequest, Peer, address_text, make_request
from heddle.runtime.flow.materialize import plain
from heddle.runtime.flow.stream import ByteStream

LIMITS = HttpLimits()


def request(
    body: bytes | ByteStream | None = None, *lines: str, target: str = "/a%20b?x=1&x=2&y="
) -> HttpRequest:
    line = parse_line(f"POST {target} HTTP/1.1".encode(), LIMITS)
    head = parse_head("\r\n".join(["Host: shop:80", *lines]).encode(), 11, LIMITS)
    return make_request(line, head, body, Peer("http", ("1.2.3.4", 5)), 1000)


def whole(body: Any = None, **header: list[str]) -> dict[str, Any]:
    return {
        "method": "POST",
        "scheme": "http",
        "host": "shop:80",
        "path": "/a b",
        "query": {"x": ["1", "2"], "y": [""]},
        "protocol": "HTTP/1.1",
        "header": {"Host": ["shop:80"], **header},
        "body": body,
        "remote": "1.2.3.4:5",
    }


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_alone(field: str) -> None:
    assert request()[field] == whole()[field]
    assert request().get(field, "-") == whole()[field]


READERS = {
    "dict": dict,
    "stars": lambda r: {**r},
    "call": lambda r: (lambda **fields: fields)(**r),
    "items": lambda r: dict(r.items()),
    "zip": lambda r: dict(zip(r.keys(), r.values(), strict=True)),
    "loop": lambda r: {key: r[key] for key in r},
    "copy": lambda r: r.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda r: pickle.loads(pickle.dumps(r)),
    "or": lambda r: r | {},
    "ror": lambda r: {} | r,
    "update": lambda r: updated({}, r),
    "json": lambda r: json.loads(json.dumps(r)),
    "indented json": lambda r: json.loads(json.dumps(r, indent=1)),
    "to_json": lambda r: msgspec.json.decode(to_json(r)),
    "nested to_json": lambda r: msgspec.json.decode(to_json({"a": [r]}))["a"][0],
    "plain": plain,
    "method plain": lambda r: r.plain(),
    "repr": lambda r: eval(repr(r)),
    "reversed": lambda r: {key: r[key] for key in reversed(list(reversed(r)))},
    "match": lambda r: matched(r),
}


def updated(target: dict[str, Any], source: Any) -> dict[str, Any]:
    target.update(source)
    return target


def matched(value: Any) -> Any:
    match value:
        case {"method": "POST", **rest}:
            return {"method": "POST", **rest}
    return None


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("touched", [[], ["method"], ["body", "path"], list(FIELDS)])
def test_every_way_of_reading_sees_all_fields(reader: Any, touched: list[str]) -> None:
    lazy = request(b'{"n": [1]}', "Content-Type: application/json")
    for field in touched:
        lazy[field]
    found = reader(lazy)
    assert found == whole({"n": [1]}, **{"Content-Type": ["application/json"]})
    assert list(found) == list(FIELDS)
    assert type(found) is dict


def test_equality_both_ways() -> None:
    assert request() == whole()
    assert whole() == request()
    assert request() == request()
    assert request() != {}
    assert request() != 3
    assert request().with_fields(a=1) == {**whole(), "a": 1}


def test_length_membership_and_truth_decode_nothing() -> None:
    lazy = request(b"{", "Content-Type: application/json")
    assert len(lazy) == len(FIELDS)
    assert bool(lazy)
    assert "body" in lazy
    assert "status" not in lazy
    assert object() not in lazy
    assert lazy.get("status") is None
    with pytest.raises(KeyError):
        lazy["status"]
    with pytest.raises(RequestError):
        lazy["body"]


def test_c_code_that_reads_past_the_methods_stumbles() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(request())


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.__setitem__("a", 1),
        lambda r: r.__delitem__("method"),
        lambda r: r.update(a=1),
        lambda r: r.pop("method"),
        lambda r: r.setdefault("a", 1),
        lambda r: r.clear(),
        lambda r: r.popitem(),
        lambda r: r.__ior__({}),
    ],
)
def test_a_request_is_never_changed(change: Any) -> None:
    lazy = request()
    with pytest.raises(TypeError, match="with_fields"):
        change(lazy)
    assert lazy == whole()


def test_with_fields_shares_what_is_decoded() -> None:
    lazy = request(b"[1]", "Content-Type: application/json")
    derived = lazy.with_fields(params={"id": "7"})
    again = derived.with_fields(extra=1, method="PUT")
    assert derived["body"] is lazy["body"] is again["body"]
    assert derived["params"] == {"id": "7"}
    assert (again["params"], again["extra"], again["method"]) == ({"id": "7"}, 1, "PUT")
    assert "params" not in lazy
    assert (len(derived), len(again)) == (len(FIELDS) + 1, len(FIELDS) + 2)
    assert "params" in derived
    assert list(derived) == [*FIELDS, "params"]
    assert dict(again)["method"] == "PUT"
    assert (again.method_text, again.path_text, again.raw_path) == ("POST", "/a b", "/a%20b")
    assert msgspec.json.decode(to_json(derived)) == {
        **whole([1], **{"Content-Type": ["application/json"]}),
        "params": {"id": "7"},
    }


def test_with_fields_after_everything_was_read() -> None:
    lazy = request()
    lazy.plain()
    derived = lazy.with_fields(params={})
    derived.plain()
    assert derived.with_fields(a=1) == {**whole(), "params": {}, "a": 1}


def test_attributes_decode_nothing() -> None:
    lazy = request()
    assert (lazy.method_text, lazy.path_text, lazy.raw_path) == ("POST", "/a b", "/a%20b")
    assert lazy.head.get("Host") == "shop:80"


def test_headers_of_two_requests_are_two_maps() -> None:
    line = parse_line(b"GET / HTTP/1.1", LIMITS)
    head = parse_head(b"Host: x", 11, LIMITS)
    one, two = (make_request(line, head, None, Peer("http", None), None) for _ in range(2))
    one["header"]["Host"].append("y")
    assert two["header"] == {"Host": ["x"]}


def test_a_stream_is_handed_over_as_it_is() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    stream = ByteStream(nothing())
    assert request(stream)["body"] is stream


def test_query_with_too_many_fields_is_rejected() -> None:
    limits = HttpLimits(target_bytes=30_000)
    line = parse_line(b"GET /?" + b"&" * 20_000 + b" HTTP/1.1", limits)
    lazy = make_request(line, parse_head(b"", 10, limits), None, Peer("http", None), None)
    with pytest.raises(RequestError):
        lazy["query"]


def test_two_content_types_are_rejected() -> None:
    lazy = request(b"x", "Content-Type: text/plain", "Content-Type: application/json")
    with pytest.raises(RequestError):
        lazy["body"]


def test_addresses_as_text() -> None:
    assert address_text(("1.2.3.4", 5)) == "1.2.3.4:5"
    assert address_text(("::1", 5, 0, 0)) == "[::1]:5"
    assert address_text("/run/x.sock") == "/run/x.sock"
    assert address_text(None) == ""
