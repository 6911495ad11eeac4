"""Every expression that a page gives as an example compiles, and gives a value for a fitting payload."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import pytest

from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.request import HttpRequest, Peer, make_request
from heddle.extensions.testing.expectation import Expectation
from heddle.runtime.assembly.extension import registry
from heddle.runtime.assembly.language import Options
from heddle.runtime.flow.errors import Error
from heddle.schemas.code import Expression
from heddle.schemas.errors import HeddleError
from heddle.schemas.schema import Schema
from heddle.schemas.shape import Field, FieldShape, fields_of
from heddle.specs.model.spec import Spec
from heddle.specs.yaml.document import read_text
from tests.docs.fences import every


class Example(NamedTuple):
    """One expression that the page of a kind shows, and the field that it is shown for."""

    kind: str
    field: str
    code: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.field}: {self.code}"


def request(target: str = "/orders?a=1&topic=news") -> HttpRequest:
    """Return a real HTTP request, as a listener makes it."""
    from heddle.extensions.net.http.limits import HttpLimits

    limits = HttpLimits()
    line = parse_line(f"GET {target} HTTP/1.1".encode(), limits)
    block = b"Host: shop.example\r\nAuthorization: Bearer x\r\nAccept: */*"
    head = parse_head(block, 11, limits)
    found = make_request(line, head, None, Peer("http", ("127.0.0.1", 9)), 1000)
    auth = {"user": "ada", "claims": {"roles": ["admin"]}}
    return found.with_fields(params={"id": "7", "room": "lobby"}, auth=auth)


def failure() -> dict[str, Any]:
    """Return what a kind that looks at an Error gives to its expression."""
    error = Error("busy", code="timeout", data={"a": 1}, symbol="x")
    return {
        "code": error.code,
        "message": error.message,
        "data": error.data,
        "symbol": "x",
        "attempt": 1,
    }


PAYLOADS: Mapping[tuple[str, str], Callable[[], Any]] = {
    ("respond", "headers"): lambda: {"id": 7},
    ("assert", "expect"): lambda: {"status": 200, "body": None},
    ("auth", "allow"): request,
    ("breaker", "when"): failure,
    ("test", "fails"): failure,
    ("cache", "keep"): lambda: {"status": 200, "body": "x"},
    ("cache", "key"): request,
    ("call", "choose"): request,
    ("call", "result"): lambda: {"payload": {"id": 1}, "answer": 9.5},
    ("collect", "key"): lambda: {"customer": "ada"},
    ("debounce", "key"): lambda: {"sensor": "a"},
    ("dedupe", "key"): lambda: {"id": 1},
    ("for", "items"): lambda: {"body": [1, 2]},
    ("log", "values"): lambda: {"id": 1, "user": {"name": "ada"}},
    ("proxy", "values"): request,
    ("reduce", "each"): lambda: {"total": 1, "value": 2, "index": 0, "key": 0},
    ("reduce", "items"): lambda: {"body": [1, 2]},
    ("retry", "when"): failure,
    ("session", "set"): request,
    ("sql", "args"): request,
    ("sse", "events"): lambda: {"body": ["a", "b"]},
    ("sse", "topics"): request,
    ("throttle", "key"): request,
    ("websocket", "rooms"): request,
    ("workflow", "idempotency_key"): lambda: {"customer": "ada", "day": "2026-11-30"},
    ("workflow", "tasks.retry.when"): failure,
}
"""What a packet is at each field with an example: a request of HTTP if the kind works on them."""


def examples() -> Iterator[Example]:
    """Yield every example of every field that takes an expression."""
    scheme = registry().scheme
    for kind in sorted(scheme.names):
        schema: Schema[Any] | None = scheme.schema(kind)
        if schema is not None:
            yield from _of(kind, schema.fields, "")


def _of(kind: str, struct: type[msgspec.Struct], above: str) -> Iterator[Example]:
    for field in fields_of(struct):
        name = f"{above}{field.name}"
        if any(
            shape.form == "custom" and shape.bare is Expression for shape in _shapes(field.shape)
        ):
            yield from (Example(kind, name, code) for code in _codes(field))
        for shape in _shapes(field.shape):
            if shape.form == "object" and shape.bare is not struct:
                yield from _of(kind, shape.bare, f"{name}.")


def _shapes(shape: FieldShape) -> Iterator[FieldShape]:
    yield shape
    for item in shape.items:
        yield from _shapes(item)


def _codes(field: Field) -> Iterator[str]:
    for example in field.examples:
        yield from example.values() if isinstance(example, dict) else (example,)


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_an_example_of_a_field_gives_a_value(example: Example) -> None:
    program = registry().scheme.languages.get("cel").program(example.code, Options())
    payload = PAYLOADS[example.kind, example.field]()
    assert program(payload) is not None


LINES = [line for one in every("cel") for line in one.code.splitlines() if line.strip()]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_cel_on_a_page_gives_a_value(line: str) -> None:
    payload = {
        "method": "GET",
        "path": "/api/orders",
        "user": {"roles": ["owner"]},
        "id": 1,
        "lines": [{"price": 2.5, "count": 2}],
        "due": "2024-05-01T12:00:00Z",
        "now": "2024-05-02T12:00:00Z",
    }
    program = registry().scheme.languages.get("cel").program(line, Options())
    assert program(payload) is not None


PACKETS: Mapping[str, tuple[Any, ...]] = {
    "assert.md": (20,),
    "cache.md": ({"city": "Seoul"},),
    "call.md": ({"items": [1]}, {"payload": {"customer": "ada"}, "answer": 9}),
    "collect.md": ({"table": "orders"},),
    "cookies.md": ({"cookies": {}},),
    "csv.md": ([{"price": 12.5}],),
    "dedupe.md": ({"id": "7"},),
    "durable.md": ({"customer": "ada", "day": "2026-11-30"},),
    "embedding.md": ({"name": "Ada"},),
    "respond.md": ({"id": 7},),
    "signature.md": ({"body": {"id": 7}},),
    "validate.md": ({"query": {"limit": 20}, "body": {"title": "a", "done": False}},),
    "router.md": ({"params": {"id": 7, "name": "a/b"}},),
    "http.md": ({"params": {"id": "7"}, "query": {"fields": ["a"]}, "body": {"name": "ada"}},),
    "if.md": ({"age": 18},),
    "kinds.md": ({"amount": "5"},),
    "log.md": ({"items": [1], "id": 1},),
    "for.md": (2,),
    "merge.md": ([2.5, 3], 2),
    "pipe.md": ({"price": 2.5, "count": 3}, 2.5),
    "print.md": ({"id": 1},),
    "reduce.md": ({"total": 0, "value": {"price": 2.5}, "index": 0, "key": 0},),
    "retry.md": (failure(),),
    "snippet.md": ({"name": "Ada"},),
    "session.md": ({"user": "ada", "text": "hello"},),
    "streams.md": ({"data": "hello"},),
    "test.md": ({"status": 200, "body": {"id": 7}}, "0 orders", failure()),
    "throttle.md": ({"user": "ada"},),
    "timer.md": ({"at": "2026-01-01T00:00:00+00:00", "count": 1, "missed": 0},),
    "try.md": (4,),
    "websocket.md": ({"data": {"text": "hello"}},),
    "while.md": (1,),
}
"""What comes to the flows of a page, if a request of HTTP does not fit."""


def written() -> Iterator[tuple[str, str]]:
    """Yield every expression in CEL of the flows on pages, with the name of its page."""
    for one in every("yaml"):
        # Each flow of the cookbook is run with the packets that stand below it.
        if "problem" in one.words or one.page.name == "cookbook.md":
            continue
        for spec in read_text(one.code).specs:
            yield from ((one.page.name, code) for code in _written(spec))


def _written(spec: Spec) -> Iterator[str]:
    schema = registry().scheme.schema(spec.kind)
    if spec.kind == "snippet" and spec.fields.get("language") == "cel":
        yield str(spec.fields["code"])
    for field in fields_of(schema.fields) if schema is not None else ():
        held = spec.fields.get(field.name)
        if held is not None and any(shape.bare is Expectation for shape in _shapes(field.shape)):
            yield from (condition.code for condition in Expectation.read(held).conditions)
        if any(
            shape.form == "custom" and shape.bare is Expression for shape in _shapes(field.shape)
        ):
            several = held.values() if isinstance(held, dict) and "code" not in held else [held]
            yield from (code for code in several if isinstance(code, str) and "{{" not in code)


@pytest.mark.parametrize(("page", "code"), sorted(set(written())))
def test_an_expression_of_a_flow_on_a_page_fits_its_packets(page: str, code: str) -> None:
    program = registry().scheme.languages.get("cel").program(code, Options())
    failures: list[str] = []
    for payload in (request(), *PACKETS.get(page, ())):
        try:
            program(payload)
        except HeddleError as error:
            failures.append(str(error))
        else:
            return
    pytest.fail("\n".join(failures))
