"""Streams through flows, over real sockets: pieces are transformed on their way, from end to end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from heddle.extensions.extension import ByteStream, node
from heddle.runtime.flow.budget import BUDGET
from tests.extensions.net.http_client.remote import remote
from tests.support import change, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

EVENTS = {"Content-Type": "text/event-stream"}


def relay(
    url: str, *, each: str = "", error: str = "", code: str = "{'data': self.data + '!'}"
) -> str:
    """Return a flow that asks for events, changes each, and sends it on."""
    ports = f", error: {error}" if error else ""
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: ask}}}}
- {{kind: http, name: ask, url: '{url}', method: GET, body: events, ports: {{out: each}}}}
- kind: for
  name: each
  items: self.body
  results: stream
  {each}
  ports: {{'out[0]': change, 'out[1]': events}}
- kind: snippet
  name: change
  language: cel
  code: "{code}"
- {{kind: sse, name: events, ports: {{{ports.removeprefix(", ")}}}}}
- {{kind: snippet, name: tell, language: cel, code: "{{'event': 'error', 'data': self.code}}"}}
"""


class Source:
    """A stream of events that somebody else sends: how many were made, and whether it was closed."""

    def __init__(self, most: int | None = None, data: str = "") -> None:
        self.made = 0
        self.closed = asyncio.Event()
        self.go_on = asyncio.Event()
        self.most = most
        self.data = data

    def response(self, _: Any) -> Any:
        """Return the stream as a response."""
        return {"header": EVENTS, "body": ByteStream(self._events())}

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            while self.most is None or self.made < self.most:
                self.made += 1
                yield f"data: {self.data}{self.made}\n\n".encode()
                if self.made == self.most:
                    await self.go_on.wait()
        finally:
            self.closed.set()


@asynccontextmanager
async def listening(port: int, **options: Any) -> AsyncIterator[Any]:
    """Provide the response to a client that reads it as it comes."""
    async with (
        ClientSession() as session,
        asyncio.timeout(60),
        session.get(f"http://127.0.0.1:{port}/", **options) as response,
    ):
        yield response


async def events_of(response: Any, most: int) -> list[str]:
    """Return the first events of a response."""
    events: list[str] = []
    while len(events) < most:
        line = (await response.content.readline()).decode()
        assert line, f"the response has ended after {events}"
        if line.strip():
            events.append(line.strip())
    return events


async def test_each_event_is_changed_while_the_next_is_not_made_yet() -> None:
    source = Source(most=2)
    async with remote(source.response) as far, running(relay(far.url)) as rt:
        async with listening(port_of(rt)) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert await events_of(response, 2) == ["data: 1!", "data: 2!"]
            assert not source.closed.is_set()
            source.go_on.set()
            assert (await response.content.read()).strip() == b""
        await until(lambda: not rt.processes)


@pytest.mark.parametrize("each", ["", "concurrency: 4"])
async def test_a_client_that_leaves_closes_the_request_to_the_far_side(each: str) -> None:
    source = Source(most=3)
    async with remote(source.response) as far, running(relay(far.url, each=each)) as rt:
        async with listening(port_of(rt)) as response:
            assert await events_of(response, 3) == ["data: 1!", "data: 2!", "data: 3!"]
            response.close()
        async with asyncio.timeout(60):
            await source.closed.wait()
        await until(lambda: not rt.processes)


@pytest.mark.parametrize("each", ["", "concurrency: 4"])
async def test_a_slow_client_holds_the_far_side_back(each: str) -> None:
    source = Source(data="x" * 1000)
    async with (
        remote(source.response) as far,
        running(relay(far.url, each=each)) as rt,
        listening(port_of(rt), read_bufsize=2**10) as response,
    ):
        await events_of(response, 1)
        before = -1
        while before != source.made:
            before = source.made
            await asyncio.sleep(0.2)
        # What fits into the buffers of the sockets, and no more.
        assert source.made < 60_000
        await events_of(response, before)
        assert source.made > before


async def broken_off(_: Any) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise RuntimeError("the far side fails")

    return {"header": EVENTS, "body": ByteStream(chunks())}


async def test_a_far_side_that_fails_breaks_the_response_off() -> None:
    async with remote(broken_off) as far, running(relay(far.url)) as rt:
        async with listening(port_of(rt)) as response:
            assert await events_of(response, 1) == ["data: 1!"]
            with pytest.raises(Exception, match="payload is not completed"):
                await response.content.read()
        await until(lambda: not rt.processes)
        told = [one for one in rt.events.recent if one.event == "a streamed answer failed"]
        assert told[-1].data["code"] == "response"


async def test_a_body_that_the_connection_ends_is_reset_if_it_breaks_off() -> None:
    code = "def main(request):\n  yield 1\n  raise KeyError('x')"
    flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: fail}}}}
- {{kind: snippet, name: fail, language: python, code: {json.dumps(code)}}}
"""
    async with running(flow) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 30)
        writer.close()


@pytest.mark.parametrize(("results", "answer"), [("stream", [b"100000"] * 50), ("count", [b"50"])])
async def test_answers_that_are_not_kept_give_back_the_memory_of_their_items(
    results: str,
    answer: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BUDGET, "limit", BUDGET.used + 1_000_000)
    async with remote("x" * 100_000) as far:
        flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: many}}}}
- {{kind: snippet, name: many, language: cel, code: 'lists.range(50)', ports: {{out: each}}}}
- {{kind: for, name: each, results: {results}, ports: {{'out[0]': request}}}}
- {{kind: snippet, name: request, language: cel, code: "{{'path': '/'}}", ports: {{out: call}}}}
- {{kind: http, name: call, url: '{far.url}', method: GET, ports: {{out: size}}}}
- {{kind: snippet, name: size, language: cel, code: size(self.body)}}
"""
        async with running(flow) as rt:
            reply = await fetch(port_of(rt), "/")
            assert reply.body.split() == answer
            await until(lambda: not BUDGET.used)


async def test_an_error_port_says_the_last_event() -> None:
    async with remote(broken_off) as far, running(relay(far.url, error="tell")) as rt:
        text = (await fetch(port_of(rt))).text
    assert text == "data: 1!\n\nevent: error\ndata: response\n\n"


async def test_a_failure_of_an_item_ends_the_stream_at_that_item() -> None:
    source = Source(most=4)
    code = "{'data': 6 / (3 - int(self.data))}"
    async with (
        remote(source.response) as far,
        running(relay(far.url, error="tell", code=code)) as rt,
    ):
        text = (await fetch(port_of(rt))).text
        async with asyncio.timeout(60):
            await source.closed.wait()
    assert text == "data: 3\n\ndata: 6\n\nevent: error\ndata: failed\n\n"


@pytest.mark.parametrize(("status", "header"), [(429, EVENTS), (200, {})])
async def test_what_is_no_stream_of_events_is_data(status: int, header: dict[str, str]) -> None:
    given = {"Content-Type": "application/json", **header}
    answer = {"status": status, "header": given, "body": b'{"error": "slow down"}'}
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: ask}}
- {kind: http, name: ask, url: '%s', method: GET, body: events}
"""
    async with remote(answer) as far, running(flow % far.url) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, json.loads(reply.body)) == (status, {"error": "slow down"})


@pytest.mark.parametrize(
    ("form", "body", "items"),
    [
        ("lines", b"one\r\ntwo\n\nthree", ["one", "two", "", "three"]),
        ("jsonl", b'{"a":1}\n\n[2]\n3', [{"a": 1}, [2], 3]),
        ("events", b": hi\n\nevent: x\ndata: 1\n\ndata: 2", [{"event": "x", "data": "1"}]),
    ],
)
async def test_a_stream_of_data_is_answered_as_json_lines(
    form: str, body: bytes, items: list[Any]
) -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: ask}}
- {kind: http, name: ask, url: '%s', method: GET, body: %s, ports: {out: body}}
- {kind: snippet, name: body, language: cel, code: self.body}
"""
    header = EVENTS if form == "events" else {}
    answer = {"header": header, "body": body}
    async with remote(answer) as far, running(flow % (far.url, form)) as rt:
        reply = await fetch(port_of(rt))
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in reply.text.splitlines()] == items


async def test_a_media_type_of_text_sends_pieces_as_they_are() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: pieces}}
- kind: snippet
  name: pieces
  language: python
  code: |
    def main(payload):
        yield "one "
        yield b"two"
  ports: {out: text}
- {kind: respond, name: text, header: {Content-Type: text/plain}}
"""
    async with running(flow) as rt:
        assert (await fetch(port_of(rt))).text == "one two"


async def test_a_stream_of_data_is_sent_as_the_body_of_a_request() -> None:
    flow = """
- {kind: for, name: each, results: stream, ports: {'out[1]': ask}}
- {kind: http, name: ask, url: '%s', method: POST}
"""
    async with remote(lambda request: request["body"]) as far, running(flow % far.url) as rt:
        assert (await rt.send("each", [{"a": 1}, "b"]))["body"] == b'{"a":1}\n"b"\n'
    assert far.asked[0]["header"]["Content-Type"] == ["application/x-ndjson"]


async def test_an_upload_is_worked_on_while_it_comes() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, stream: true, ports: {out: each}}
- {kind: for, name: each, items: self.body, results: stream, stream: jsonl, ports: {'out[0]': double}}
- {kind: snippet, name: double, language: cel, code: self * 2}
"""
    answered = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield b"1\n"
        await answered.wait()
        yield b"2\n"

    async with (
        running(flow) as rt,
        ClientSession() as session,
        asyncio.timeout(60),
        session.post(f"http://127.0.0.1:{port_of(rt)}/", data=lines()) as response,
    ):
        assert await response.content.readline() == b"2\n"
        answered.set()
        assert await response.content.read() == b"4\n"


async def test_an_async_generator_of_an_extension_makes_a_stream() -> None:
    closed = asyncio.Event()

    @node("count")
    async def count(payload: Any, *, most: int = 3) -> AsyncIterator[int]:
        try:
            for number in range(most):
                yield number
        finally:
            closed.set()

    @node("raw")
    async def raw(payload: Any) -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    flow = "- {kind: listener, name: listener, port: 0, ports: {out: made}}\n"
    async with running(flow + "- {kind: count, name: made, most: 2}", extensions=[count]) as rt:
        reply = await fetch(port_of(rt))
        assert (reply.headers["Content-Type"], reply.text) == ("application/x-ndjson", "0\n1\n")

        assert closed.is_set()
    async with running(flow + "- {kind: raw, name: made}", extensions=[raw]) as rt:
        reply = await fetch(port_of(rt))
        assert (reply.headers["Content-Type"], reply.text) == ("application/octet-stream", "ab")


ENDLESS = """
- {kind: listener, name: listener, port: 0, ports: {out: made}}
- kind: snippet
  name: made
  language: python
  code: |
    import asyncio
    async def main(payload):
        yield "first"
        await asyncio.Event().wait()
"""
SENT_ON = "  ports: {out: sse}\n- {kind: sse, name: sse}\n"
REPLACED = "- {kind: snippet, name: made, language: text, code: new}"


@pytest.mark.parametrize("sent_on", ["", SENT_ON])
async def test_a_stream_that_outlasts_the_drain_is_cut_off(sent_on: str) -> None:
    async with (
        running(ENDLESS + sent_on, drain=0.05) as rt,
        listening(port_of(rt)) as response,
    ):
        assert b"first" in await response.content.readline()
        await change(rt, REPLACED)
        with pytest.raises(Exception, match="payload is not completed"):
            await response.content.read()
        await until(lambda: not rt.processes)


async def test_a_stream_goes_on_with_the_nodes_that_it_began_with() -> None:
    source = Source(most=1)
    async with remote(source.response) as far, running(relay(far.url)) as rt:
        async with listening(port_of(rt)) as response:
            assert await events_of(response, 1) == ["data: 1!"]
            await change(
                rt, '- {kind: snippet, name: change, language: json, code: \'{"data": "new"}\'}'
            )
            source.most = None
            source.go_on.set()
            assert await events_of(response, 1) == ["data: 2!"]
        async with listening(port_of(rt)) as response:
            assert await events_of(response, 1) == ["data: new"]


async def test_a_head_request_closes_what_would_have_fed_its_response() -> None:
    async with remote(Source().response) as far, running(relay(far.url)) as rt:
        reply = await fetch(port_of(rt), method="HEAD")
        assert (reply.status, reply.body) == (200, b"")
        await until(lambda: not rt.processes)
        shown = {symbol.name: symbol.node for symbol in rt.status().symbols}
        assert shown["ask"]["connections"] == 0
        assert shown["events"]["relayed"] == 0
