"""The sse kind, over real sockets: streams that stay open, and who is sent what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heddle.extensions.extension import ByteStream, node
from heddle.runtime.runtime import Runtime
from tests.extensions.net.http.wire import Wire
from tests.support import change, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

LISTENER = "- {kind: listener, name: listener, port: 0, ports: {out: {name: news, port: in}}}\n"


def flow(more: str = "", ports: str = "") -> str:
    said = f"{more}, " if more else ""
    return f"{LISTENER}- {{kind: sse, name: news, {said}ports: {{{ports}}}}}\n"


def seen(rt: Runtime) -> dict[str, Any]:
    return dict(next(one for one in rt.status().symbols if one.name == "news").node)


class Stream:
    """One client that listens."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._chunks = wire.chunks()
        self._rest = b""

    async def event(self) -> str:
        """Return the next event."""
        async with asyncio.timeout(60):
            while b"\n\n" not in self._rest:
                self._rest += await anext(self._chunks)
        event, _, self._rest = self._rest.partition(b"\n\n")
        return event.decode()

    async def ended(self) -> bool:
        async with asyncio.timeout(60):
            return [chunk async for chunk in self._chunks] == []


@asynccontextmanager
async def listening(rt: Runtime, path: str = "/", *lines: str) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
    wire = Wire(reader, writer)
    before = seen(rt)["streams"]
    await wire.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"Content-Type: text/event-stream" in head
    assert b"Transfer-Encoding: chunked" in head
    await until(lambda: seen(rt)["streams"] == before + 1)
    try:
        yield Stream(wire)
    finally:
        await wire.close()


async def send(rt: Runtime, event: Any) -> Any:
    return await rt.send("news", event, port="send")


async def test_events_reach_everyone_who_listens() -> None:
    async with running(flow()) as rt, listening(rt) as a, listening(rt) as b:
        await send(rt, {"event": "tick", "data": {"n": 1}})
        await send(rt, "plain")
        for one in (a, b):
            assert await one.event() == 'event: tick\ndata: {"n":1}'
            assert await one.event() == "data: plain"
        assert seen(rt)["sent"] == 2


async def test_who_asked_for_topics_hears_of_those_alone() -> None:
    text = flow("topics: self.query.topic", "sent: {name: count, port: in}")
    async with (
        running(text + "- {kind: snippet, name: count, language: cel, code: self.sent}") as rt,
        listening(rt, "/?topic=a") as a,
        listening(rt, "/?topic=b&topic=c") as b,
    ):
        assert await send(rt, {"topic": "a", "data": "for a"}) == 1
        assert await send(rt, {"topic": ["a", "c"], "data": "for both"}) == 2
        assert await send(rt, {"data": "for all"}) == 2
        assert await send(rt, {"topic": "d", "data": "for nobody"}) == 0
        assert [await a.event() for _ in range(3)] == [
            "data: for a",
            "data: for both",
            "data: for all",
        ]
        assert [await b.event() for _ in range(2)] == ["data: for both", "data: for all"]


async def test_who_comes_back_is_sent_what_it_missed() -> None:
    async with running(flow("keep: 3, retry: 2s")) as rt:
        async with listening(rt) as one:
            assert await one.event() == "retry: 2000"
            await send(rt, "1")
            first = (await one.event()).split("\n")
            assert first[1] == "data: 1"
            last = first[0].removeprefix("id: ")
        for event in ("2", "3"):
            await send(rt, event)
        async with listening(rt, "/", f"Last-Event-ID: {last}") as one:
            await one.event()
            assert [(await one.event()).split("\n")[1] for _ in range(2)] == ["data: 2", "data: 3"]
        await send(rt, {"id": "own", "data": "4"})
        async with listening(rt, "/", "Last-Event-ID: long-gone") as one:
            await one.event()
            assert [(await one.event()).split("\n")[1] for _ in range(3)] == [
                "data: 2",
                "data: 3",
                "data: 4",
            ]


async def test_a_flow_gives_the_first_events_and_may_end_the_stream() -> None:
    code = "[{'event': 'path', 'data': self.request.path}, {'data': [1]}]"
    first = f'- {{kind: snippet, name: first, language: cel, code: "{code}"}}'
    async with (
        running(flow("", "open: {name: first, port: in}") + first) as rt,
        listening(rt, "/x") as one,
    ):
        assert await one.event() == "event: path\ndata: /x"
        assert await one.event() == "data: [1]"
        await send(rt, "later")
        assert await one.event() == "data: later"
    async with running(flow("once: true", "open: {name: first, port: in}") + first) as rt:
        reply = await fetch(port_of(rt), "/x")
        assert reply.text == "event: path\ndata: /x\n\ndata: [1]\n\n"
        assert (await fetch(port_of(rt), method="PUT", body="x")).status == 405


async def test_lines_of_a_byte_stream_are_events() -> None:
    @node("rows")
    def rows(payload: Any) -> Any:
        """Answers with lines."""

        async def chunks() -> AsyncIterator[bytes]:
            for n in range(3):
                await asyncio.sleep(0)
                yield b'{"n":%d}\n' % n

        return ByteStream(chunks())

    text = flow("", "open: {name: rows, port: in}") + "- {kind: rows, name: rows}"
    async with running(text, extensions=[rows]) as rt:
        reply = await fetch(port_of(rt))
        assert reply.text == "".join(f'data: {{"n":{n}}}\n\n' for n in range(3))
        await until(lambda: not rt.processes)


async def test_silence_is_filled_with_comments() -> None:
    async with running(flow("heartbeat: 20ms")) as rt, listening(rt) as one:
        assert (await one.event()).strip() == ":"
        assert (await one.event()).strip() == ":"
        await send(rt, "x")
        while (event := await one.event()).startswith(":"):
            continue
        assert event == "data: x"


async def test_a_client_that_leaves_is_forgotten() -> None:
    async with running(flow()) as rt:
        async with listening(rt):
            assert seen(rt)["streams"] == 1
        await until(lambda: seen(rt)["streams"] == 0)
        assert not rt.processes


async def test_client_that_is_too_slow_loses_its_stream_and_holds_nobody_up() -> None:
    async with running(flow("queue: 5")) as rt, listening(rt) as quick, listening(rt) as slow:
        transport: Any = slow.wire.writer.transport
        transport.pause_reading()
        async with asyncio.timeout(60):
            while not seen(rt)["slow"]:
                await send(rt, "x" * 200_000)
                await quick.event()
        assert seen(rt)["streams"] == 1


async def test_streams_outlive_reloads_and_no_process_is_held() -> None:
    text = flow("", "open: {name: first, port: in}")
    first = "- {kind: snippet, name: first, language: text, code: hello}\n"
    slow = "- {kind: sleep, name: first, interval: 1ms}\n"
    async with running(text + slow) as rt, listening(rt) as one:
        assert "request" in await one.event()
        assert not rt.processes
        await change(rt, first)
        await change(rt, flow("keep: 5, queue: 7", "open: {name: first, port: in}"))
        await send(rt, "x")
        assert (await one.event()).endswith("data: x")
        assert seen(rt)["streams"] == 1


async def test_a_rejected_change_leaves_streams_where_they_were() -> None:
    async with running(flow()) as rt, listening(rt) as one:
        await change(
            rt, flow("queue: 1", "active: {name: boom, port: in}") + "- {kind: throw, name: boom}"
        )
        assert rt.events.recent[-1].event == "change rejected"
        await send(rt, "x")
        assert await one.event() == "data: x"


async def test_a_runtime_that_stops_ends_its_streams() -> None:
    async with running(flow()) as rt, listening(rt) as one:
        async with asyncio.timeout(60):
            await asyncio.gather(rt.close(), one.ended())


async def test_end_ends_the_streams_of_a_topic_behind_what_was_sent() -> None:
    async with (
        running(flow("topics: self.query.topic")) as rt,
        listening(rt, "/?topic=a") as a,
        listening(rt, "/?topic=b") as b,
    ):
        await send(rt, {"topic": "a", "data": "last"})
        await rt.send("news", {"topic": "a"}, port="end")
        assert await a.event() == "data: last"
        assert await a.ended()
        await send(rt, "still here")
        assert await b.event() == "data: still here"
        await rt.send("news", None, port="end")
        assert await b.ended()
        assert seen(rt)["streams"] == 0


async def test_a_post_is_answered_with_the_stream_that_open_gives() -> None:
    text = (
        flow("", "open: {name: words, port: in}")
        + """
- kind: snippet
  name: words
  language: python
  code: |
    def main(payload):
        for word in payload["request"]["body"]["words"]:
            yield {"word": word}
        yield "[DONE]"
"""
    )
    async with running(text) as rt:
        reply = await fetch(
            port_of(rt),
            method="POST",
            headers={"Content-Type": "application/json"},
            body='{"words": ["a", "b"]}',
        )
        assert reply.text == 'data: {"word":"a"}\n\ndata: {"word":"b"}\n\ndata: [DONE]\n\n'
        await until(lambda: not rt.processes)
        assert seen(rt)["relayed"] == 0


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ("", "[1, {'event': 'x', 'data': 'y'}]", "data: 1\n\nevent: x\ndata: y\n\n"),
        ("events: self.all", "{'all': ['a']}", "data: a\n\n"),
        ("events: self.one, retry: 1s", "{'one': {'n': 1}}", 'retry: 1000\n\ndata: {"n":1}\n\n'),
    ],
)
async def test_a_packet_may_bring_its_own_events(fields: str, code: str, text: str) -> None:
    made = flow(fields).replace("{name: news, port: in}", "{name: made, port: in}")
    snippet = (
        f'- {{kind: snippet, name: made, language: cel, code: "{code}", ports: {{out: news}}}}'
    )
    async with running(made + snippet) as rt:
        assert (await fetch(port_of(rt))).text == text


async def test_silence_of_a_stream_is_filled_with_comments_too() -> None:
    go_on = asyncio.Event()

    @node("slow")
    async def slow(payload: Any) -> AsyncIterator[str]:
        yield "a"
        await go_on.wait()
        yield "b"

    text = flow("heartbeat: 20ms", "open: {name: slow, port: in}") + "- {kind: slow, name: slow}"
    async with running(text, extensions=[slow]) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        wire = Wire(reader, writer)
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        one = Stream(wire)
        assert [await one.event(), (await one.event()).strip()] == ["data: a", ":"]
        assert seen(rt)["relayed"] == 1
        go_on.set()
        while (event := await one.event()).startswith(":"):
            continue
        assert event == "data: b"
        assert await one.ended()
        await wire.close()
