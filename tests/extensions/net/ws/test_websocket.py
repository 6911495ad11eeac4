"""The websocket kind: connections, messages, rooms, limits, and reloads that nobody notices."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode

from heddle.extensions.extension import ByteStream, Error, Process, node
from heddle.runtime.assembly.codec import Kind
from heddle.runtime.flow.node import Action, Node
from heddle.runtime.runtime import Runtime
from heddle.schemas.field import Fields
from heddle.schemas.port import IN, OUT
from heddle.schemas.schema import Schema
from tests.extensions.net.ws.support import LISTENER, closing, dial, flow, hear
from tests.support import change, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def seen(rt: Runtime) -> dict[str, Any]:
    """Return what the websocket shows of itself."""
    return dict(next(one for one in rt.status().symbols if one.name == "ws").node)


# -- messages ---------------------------------------------------------------------------------------


async def test_what_a_message_is_answered_is_sent_back() -> None:
    async with running(flow()) as rt, dial(rt) as client:
        for message in ("text", b"bytes", "", "ü" * 10_000):
            await client.send(message)
            assert await hear(client) == message


async def test_data_is_sent_as_json_and_nothing_is_not_sent() -> None:
    answer = "self.data.n > 1 ? {'twice': self.data.n * 2} : {'n': self.data.n}"
    async with running(flow("format: json", answer=answer)) as rt, dial(rt) as client:
        for n in (1, 2):
            await client.send(json.dumps({"n": n}))
        assert json.loads(await hear(client)) == {"n": 1}
        assert json.loads(await hear(client)) == {"twice": 4}
    async with running(f"{LISTENER}- {{kind: websocket, name: ws}}") as rt, dial(rt) as client:
        await client.send("nobody listens")
        await client.ping()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.recv()


async def test_a_message_comes_with_its_connection_and_its_request() -> None:
    answer = "[self.request.path, self.request.query.q[0], string(size(self.connection))]"
    async with running(flow(answer=answer)) as rt, dial(rt, "/room/7?q=x") as client:
        await client.send("?")
        assert json.loads(await hear(client)) == ["/room/7", "x", "36"]


async def test_fragments_make_one_message() -> None:
    async with running(flow()) as rt, dial(rt) as client:
        await client.send(["one ", "two ", "three"])
        assert await hear(client) == "one two three"


async def test_a_router_leads_to_it_and_the_same_port_still_speaks_http() -> None:
    text = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router, port: in}}}
- kind: router
  name: router
  routes:
    - {method: GET, path: '/ws/:room', port: 'out[0]'}
    - {method: GET, path: /ping, port: 'out[1]'}
  ports: {'out[0]': {name: ws, port: in}, 'out[1]': {name: pong, port: in}}
- {kind: websocket, name: ws, rooms: self.params.room, ports: {message: {name: answer, port: in}}}
- {kind: snippet, name: answer, language: cel, code: self.request.params.room}
- {kind: snippet, name: pong, language: text, code: pong}
"""
    async with running(text) as rt, dial(rt, "/ws/blue") as client:
        await client.send("?")
        assert await hear(client) == "blue"
        assert seen(rt)["rooms"] == {"blue": 1}
        assert (await fetch(port_of(rt), "/ping")).text == "pong"
        assert (await fetch(port_of(rt), "/ws/blue")).status == 426


async def test_messages_of_a_connection_are_in_order_and_others_do_not_wait() -> None:
    held: dict[str, asyncio.Event] = {"slow": asyncio.Event()}

    @node("hold")
    async def hold(payload: Any) -> Any:
        """Hold what it knows."""
        if payload["data"] in held:
            await held[payload["data"]].wait()
        return payload["data"]

    text = f"{LISTENER}- {{kind: websocket, name: ws, ports: {{message: {{name: h, port: in}}}}}}\n"
    async with (
        running(text + "- {kind: hold, name: h}", extensions=[hold]) as rt,
        dial(rt) as first,
        dial(rt) as second,
    ):
        for message in ("slow", "a", "b"):
            await first.send(message)
        await second.send("c")
        assert await hear(second) == "c"
        held["slow"].set()
        assert [await hear(first) for _ in range(3)] == ["slow", "a", "b"]


async def test_a_byte_stream_is_one_message_in_pieces() -> None:
    @node("stream")
    def stream(payload: Any) -> Any:
        """Answers with a stream."""

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(50):
                await asyncio.sleep(0)
                yield b"x" * 1000

        return ByteStream(chunks())

    text = f"{LISTENER}- {{kind: websocket, name: ws, ports: {{message: {{name: s, port: in}}}}}}\n"
    async with running(text + "- {kind: stream, name: s}", extensions=[stream]) as rt:
        async with dial(rt) as client:
            await client.send("?")
            await client.send("?")
            assert await hear(client) == b"x" * 50_000
            assert await hear(client) == b"x" * 50_000
        await until(lambda: not rt.processes)


STREAM = f"{LISTENER}- {{kind: websocket, name: ws, ports: {{message: {{name: s, port: in}}}}}}\n"


async def test_each_item_of_a_stream_is_a_message() -> None:
    code = "def main(payload):\n    yield 'a'\n    yield {'b': 1}"
    text = STREAM + f"- {{kind: snippet, name: s, language: python, code: {json.dumps(code)}}}"
    async with running(text) as rt:
        async with dial(rt) as client:
            await client.send("?")
            assert [await hear(client), await hear(client)] == ["a", '{"b":1}']
        await until(lambda: not rt.processes)


async def test_a_connection_that_breaks_off_closes_the_stream_that_it_is_sent() -> None:
    closed = asyncio.Event()

    @node("stream")
    async def stream(payload: Any) -> AsyncIterator[str]:
        """Answers with a stream that never ends."""
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with running(STREAM + "- {kind: stream, name: s}", extensions=[stream]) as rt:
        async with dial(rt) as client:
            await client.send("?")
            assert await hear(client) == "first"
            client.transport.abort()
            async with asyncio.timeout(60):
                await closed.wait()
        await until(lambda: not rt.processes)


# -- opening and closing ----------------------------------------------------------------------------

LIFE = (
    LISTENER
    + """
- kind: websocket
  name: ws
  ports:
    open: {name: greet, port: in}
    message: {name: echo, port: in}
    close: {name: note, port: in}
- {kind: snippet, name: greet, language: cel, code: "'hello ' + self.request.path"}
- {kind: snippet, name: echo, language: cel, code: self.data}
- {kind: notes, name: note}
"""
)


async def test_a_flow_greets_and_is_told_of_the_end() -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    @node("notes")
    def notes(payload: Any) -> Any:
        """Return notes what it is told."""
        told.put_nowait(payload)

    async with running(LIFE, extensions=[notes]) as rt:
        async with dial(rt, "/x") as client:
            assert await hear(client) == "hello /x"
            await client.close(4001, "enough")
        async with asyncio.timeout(60):
            end = await told.get()
        assert (end["code"], end["reason"]) == (4001, "enough")
        async with dial(rt) as client:
            assert client.transport is not None
            client.transport.abort()
        async with asyncio.timeout(60):
            assert (await told.get())["code"] == 1006
        assert seen(rt)["connections"] == 0
        await until(lambda: not rt.processes)


class Held(Node):
    """Holds every packet, and notes how its processes end."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ends: asyncio.Queue[Error | None] = asyncio.Queue()

    def handler(self, port: str) -> Action | None:
        return Action(self._act, waits=True, process=True) if port == "in" else None

    async def _act(self, payload: Any, process: Process) -> Any:
        process.on_exit(self.ends.put_nowait)
        self.entered.set()
        await self.let_go.wait()
        return "done"


class NoFields(Fields):
    """Nothing to say."""


def held(made: Held) -> Kind[Any]:
    schema = Schema(kind="held", fields=NoFields, summary="Holds.", ins=(IN,), outs=(OUT,))
    return Kind(schema, lambda fields, build: made)


HELD = (
    f"{LISTENER}- {{kind: websocket, name: ws, ports: {{message: {{name: h, port: in}}}}}}\n"
    "- {kind: held, name: h}"
)


async def test_a_connection_that_breaks_off_cancels_its_process() -> None:
    made = Held()
    async with running(HELD, extensions=[held(made)]) as rt, dial(rt) as client:
        await client.send("?")
        async with asyncio.timeout(60):
            await made.entered.wait()
            assert client.transport is not None
            client.transport.abort()
            error = await made.ends.get()
    assert error is not None
    assert error.code == "cancelled"


async def test_a_connection_that_closes_in_order_lets_its_message_be_handled() -> None:
    made = Held()
    async with running(HELD, extensions=[held(made)]) as rt, dial(rt) as client:
        await client.send("?")
        async with asyncio.timeout(60):
            await made.entered.wait()
            await client.close()
            made.let_go.set()
            assert await made.ends.get() is None


async def test_an_error_closes_the_connection_unless_it_is_handled() -> None:
    async with running(flow(answer="1 / size(self.data)")) as rt, dial(rt) as client:
        told = asyncio.ensure_future(rt.events.wait("websocket flow failed"))
        await asyncio.sleep(0)
        await client.send("")
        assert (await closing(client))[0] == 1011
        assert "zero" in (await told).reason
    text = (
        flow(answer="1 / size(self.data)", ports="error: {name: excuse, port: in}")
        + "- {kind: snippet, name: excuse, language: text, code: sorry}\n"
    )
    async with running(text) as rt, dial(rt) as client:
        await client.send("")
        assert await hear(client) == "sorry"
        await client.send("x")
        assert await hear(client) == "1"


# -- rooms ------------------------------------------------------------------------------------------

CHAT = (
    LISTENER
    + """
- kind: websocket
  name: ws
  format: json
  rooms: "self.path == '/' ? [] : [self.path]"
  ports:
    message: {name: tell, port: in}
- {kind: snippet, name: tell, language: cel, code: self.data, ports: {out: {name: ws, port: send}}}
"""
)


async def order(client: Any, **said: Any) -> None:
    await client.send(json.dumps(said))


async def test_rooms_hear_what_is_said_in_them() -> None:
    async with running(CHAT) as rt, dial(rt, "/a") as a, dial(rt, "/a") as b, dial(rt, "/c") as c:
        await order(a, room="/a", data="for a")
        assert [await hear(one) for one in (a, b)] == ["for a", "for a"]
        await order(c, join=["/a", "/d"])
        await order(c, room=["/a", "/c"], data={"n": 1})
        assert [json.loads(await hear(one)) for one in (a, b, c)] == [{"n": 1}] * 3
        await order(c, leave="/a", data="left")
        assert await hear(c) == "left"
        assert seen(rt)["rooms"] == {"/a": 2, "/c": 1, "/d": 1}
        await order(a, all=True, data="everyone")
        assert [await hear(one) for one in (a, b, c)] == ["everyone"] * 3
        await order(b, close={"code": 4000, "reason": "bye"})
        assert await closing(b) == (4000, "bye")
        await until(lambda: seen(rt)["rooms"]["/a"] == 1)
    async with running(CHAT) as rt, dial(rt) as client:
        await order(client, to="nobody", data="x")
        await order(client, data="mine")
        assert await hear(client) == "mine"


async def test_other_flows_say_something_and_learn_to_how_many() -> None:
    text = (
        CHAT.replace(
            "    message: {name: tell, port: in}",
            "    message: {name: tell, port: in}\n    sent: {name: count, port: in}",
        )
        + "- {kind: snippet, name: count, language: cel, code: self.sent}\n"
    )
    async with running(text) as rt, dial(rt, "/a") as a, dial(rt, "/b") as b:
        assert await rt.send("ws", {"room": "/a", "data": "x"}, port="send") == 1
        assert await rt.send("ws", {"all": True, "data": "y"}, port="send") == 2
        assert [await hear(a), await hear(a), await hear(b)] == ["x", "y", "y"]
        for wrong in ({"data": "x"}, "x", {"all": True, "close": 7}, {"room": 7, "data": "x"}):
            error = await rt.send("ws", wrong, port="send")
            assert isinstance(error, Error), wrong
            assert error.code == "request"


# -- the handshake ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ("[]", None, 101),
        ("[]", "http://127.0.0.1:{port}", 101),
        ("[]", "https://evil.example", 403),
        ("[]", "null", 403),
        ("['https://good.example']", "https://good.example", 101),
        ("['https://good.example']", "https://evil.example", 403),
        ("['https://*.good.example']", "https://a.good.example", 101),
        ("['https://*.good.example']", "https://a.good.example.evil", 403),
        ("['*']", "https://evil.example", 101),
    ],
)
async def test_pages_of_other_sites_are_rejected(
    origins: str, origin: str | None, status: int
) -> None:
    async with running(flow(f"origins: {origins}")) as rt:
        said = origin.format(port=port_of(rt)) if origin else None
        if status == 101:
            async with dial(rt, origin=said) as client:
                await client.send("x")
                assert await hear(client) == "x"
        else:
            with pytest.raises(InvalidStatus) as raised:
                await dial(rt, origin=said)
            assert raised.value.response.status_code == status


async def test_subprotocols_are_chosen_in_our_order() -> None:
    async with running(flow("protocols: [b, a]")) as rt:
        async with dial(rt, subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "b"
        async with dial(rt) as client:
            assert client.subprotocol is None
        with pytest.raises(InvalidStatus) as raised:
            await dial(rt, subprotocols=["c"])
        assert raised.value.response.status_code == 400


async def test_messages_are_packed_where_both_sides_like_it() -> None:
    for more, packed in (("compress: true", True), ("compress: false", False)):
        async with running(flow(more)) as rt, dial(rt) as client:
            assert bool(client.protocol.extensions) is packed
            await client.send("x" * 100_000)
            assert await hear(client) == "x" * 100_000


async def test_what_is_no_handshake_is_told_why() -> None:
    async with running(flow()) as rt:
        port = port_of(rt)
        plain = await fetch(port)
        assert (plain.status, plain.headers["Upgrade"]) == (426, "websocket")
        assert plain.headers["Sec-WebSocket-Version"] == "13"
        assert (await fetch(port, method="POST", body="x")).status == 405
        headers = {
            "Connection": "Upgrade, close",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
        }
        bad_key = await fetch(port, headers={**headers, "Sec-WebSocket-Key": "x" * 24})
        assert (bad_key.status, bad_key.headers.get("Upgrade")) == (400, None)


@pytest.mark.parametrize("version", ["8", "7", "0", "14", "13, 8", "x"])
async def test_another_version_is_426_and_names_the_one_that_is_spoken(version: str) -> None:
    async with running(flow()) as rt:
        headers = {
            "Connection": "Upgrade, close",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": version,
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        reply = await fetch(port_of(rt), headers=headers)
    assert (reply.status, reply.headers["Sec-WebSocket-Version"]) == (426, "13")
    assert reply.headers["Upgrade"] == "websocket"


async def test_bytes_sent_right_behind_the_handshake_are_not_lost() -> None:
    async with running(flow()) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        masked = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            + masked
        )
        async with asyncio.timeout(60):
            assert b" 426 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"HTTP/1.1 101")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
            assert await reader.readexactly(4) == b"\x81\x02hi"
        writer.close()


async def test_it_speaks_over_tls_as_well() -> None:
    ca = trustme.CA()
    made = ca.issue_cert("localhost")
    cert = made.cert_chain_pems[0].bytes().decode()
    pem = json.dumps({"cert": cert, "key": made.private_key_pem.bytes().decode()})
    context = ssl.create_default_context()
    ca.configure_trust(context)
    text = flow().replace("port: 0", f"port: 0, tls: {pem}")
    async with (
        running(text) as rt,
        connect(f"wss://localhost:{port_of(rt)}/", ssl=context) as client,
    ):
        for message in ("text", b"x" * 300_000):
            await client.send(message)
            assert await hear(client) == message
        await change(rt, text.replace("format: auto", "limits: {message: 10B}"))
        await client.send("x" * 11)
        assert (await closing(client))[0] == 1009


# -- limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "messages", "code"),
    [
        ("limits: {message: 10B}", ["x" * 11], 1009),
        ("limits: {rate: 3}", ["x"] * 10, 1008),
        ("limits: {idle: 50ms}", [], 1001),
        ("format: json", ["{oops"], 1007),
        ("format: text", [b"bytes"], 1007),
    ],
)
async def test_who_goes_too_far_is_closed_with_a_code_that_says_so(
    more: str, messages: list[Any], code: int
) -> None:
    async with running(flow(more)) as rt, dial(rt) as client:
        for message in messages:
            try:
                await client.send(message)
            except ConnectionClosed:
                break
        assert (await closing(client))[0] == code


async def test_a_small_packed_message_cannot_become_a_large_one() -> None:
    async with running(flow("limits: {message: 10kB}")) as rt, dial(rt) as client:
        await client.send("x" * 1_000_000)
        assert (await closing(client))[0] == 1009


async def test_who_is_silent_is_pinged_and_who_does_not_answer_is_closed() -> None:
    async with (
        running(flow("limits: {ping: 30ms, pong: 2s}")) as rt,
        dial(rt, ping_interval=None) as client,
    ):
        pings = 0
        handle: Any = client.process_event

        def counted(event: Any) -> None:
            nonlocal pings
            pings += event.opcode is Opcode.PING
            handle(event)

        client.process_event = counted  # type: ignore[method-assign]
        await until(lambda: pings)
        await client.send("still there")
        assert await hear(client) == "still there"
        assert client.transport is not None
        client.transport.pause_reading()
        await until(lambda: seen(rt)["connections"] == 0)
        client.transport.abort()


async def test_who_sends_faster_than_it_is_answered_has_to_wait() -> None:
    made = Held()
    text = HELD.replace("websocket, name: ws,", "websocket, name: ws, limits: {waiting: 10kB},")
    async with (
        running(text, extensions=[held(made)]) as rt,
        dial(rt, compression=None, write_limit=1000) as client,
    ):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while True:
                await client.send(b"x" * 10_000)
                sent += 1

        flooding = asyncio.ensure_future(flood())
        async with asyncio.timeout(60):
            await made.entered.wait()
            symbol = rt.table.get("ws")
            assert symbol is not None
            (talk,) = symbol.node._hub.talks.values()  # type: ignore[attr-defined]
            # It reads no more, and all buffers on the way are full.
            await until(lambda: talk._paused)
            assert client.transport is not None
            await until(client.transport.get_write_buffer_size)
            before = sent
        assert sent < 2000
        made.let_go.set()
        await until(lambda: sent > before + 100)
        flooding.cancel()
        assert client.transport is not None
        client.transport.abort()


async def test_a_client_that_reads_nothing_is_cut_and_delays_nobody() -> None:
    text = CHAT.replace("format: json", "format: json\n  limits: {backlog: 200kB, ping: 0}")
    async with (
        running(text) as rt,
        dial(rt, "/a", compression=None) as quick,
        dial(rt, "/a", compression=None) as slow,
    ):
        assert slow.transport is not None
        slow.transport.pause_reading()
        heard = 0
        async with asyncio.timeout(60):
            while seen(rt)["connections"] == 2:
                await rt.send("ws", {"room": "/a", "data": "x" * 100_000}, port="send")
                await hear(quick)
                heard += 1
        assert heard > 1
        slow.transport.abort()


# -- reload -----------------------------------------------------------------------------------------


async def test_connections_outlive_reloads_and_speak_to_the_flow_as_it_is_now() -> None:
    async with running(flow(answer="'old ' + self.data")) as rt, dial(rt) as client:
        await client.send("1")
        assert await hear(client) == "old 1"
        leaf = "- {kind: snippet, name: answer, language: cel, code: \"'new ' + self.data\"}"
        await change(rt, leaf)
        await client.send("2")
        assert await hear(client) == "new 2"
        await change(rt, flow("limits: {message: 20B}", answer="'newer ' + self.data"))
        await client.send("3")
        assert await hear(client) == "newer 3"
        assert seen(rt)["connections"] == 1
        await change(rt, LISTENER.replace("port: 0", "port: 0, limits: {body: 1kB}"))
        await client.send("4")
        assert await hear(client) == "newer 4"


KEEPING = f"""
{LISTENER}
- kind: websocket
  name: ws
  format: json
  ports:
    open: {{name: greet}}
    message: {{name: recall}}
    close: {{name: bye}}
- {{kind: session, name: greet, set: {{path: self.request.path, said: '[]'}}, ports: {{out: {{name: quiet}}}}}}
- {{kind: nop, name: quiet}}
- {{kind: session, name: recall, get: [path, said], add: true, ports: {{out: {{name: add}}}}}}
- {{kind: snippet, name: add, language: cel, code: "self.path + string(size(self.said)) + self.data", ports: {{out: {{name: keep}}}}}}
- {{kind: session, name: keep, set: {{said: '[self]'}}}}
- {{kind: session, name: bye, get: [path, said], ports: {{out: {{name: told}}}}}}
- {{kind: log, name: told, event: left, values: {{path: path}}}}
"""


async def test_a_session_keeps_what_belongs_to_one_connection_until_it_closes() -> None:
    async with running(KEEPING) as rt, dial(rt, "/a") as one, dial(rt, "/b") as other:
        for client, message, answer in [
            (one, '"x"', "/a0x"),
            (other, '"y"', "/b0y"),
            (one, '"z"', "/a1z"),
        ]:
            await client.send(message)
            assert await hear(client) == answer
        # What is kept outlives reloads, as the connection does.
        generations = len(rt.processes)
        await change(rt, "- {kind: nop, name: another}\n")
        await one.send('"after"')
        assert await hear(one) == "/a1after"
        assert len(rt.processes) == generations == 0
        left = asyncio.ensure_future(rt.events.wait("left"))
        await asyncio.sleep(0)
        await one.close()
        async with asyncio.timeout(10):
            assert (await left).data["path"] == "/a"


async def test_a_rejected_change_leaves_connections_where_they_were() -> None:
    async with running(flow()) as rt, dial(rt) as client:
        await change(
            rt,
            flow("limits: {message: 1B}", ports="active: {name: boom, port: in}")
            + "- {kind: throw, name: boom}",
        )
        assert rt.events.recent[-1].event == "change rejected"
        await client.send("longer than one byte")
        assert await hear(client) == "longer than one byte"
        assert seen(rt)["connections"] == 1


async def test_a_runtime_that_stops_says_goodbye_after_the_last_answer() -> None:
    made = Held()
    async with running(HELD, extensions=[held(made)]) as rt, dial(rt) as client:
        await client.send("?")
        async with asyncio.timeout(60):
            await made.entered.wait()
            stopping = asyncio.ensure_future(rt.close())
            await asyncio.sleep(0)
            made.let_go.set()
            assert await hear(client) == "done"
            assert (await closing(client))[0] == 1001
            await stopping


async def test_many_connections_echo_side_by_side() -> None:
    many = 100
    async with running(flow()) as rt:
        clients = await asyncio.gather(*(dial(rt, compression=None) for _ in range(many)))
        assert seen(rt)["connections"] == many

        async def talk(index: int) -> None:
            for turn in range(5):
                await clients[index].send(f"{index}.{turn}")
                assert await hear(clients[index]) == f"{index}.{turn}"

        async with asyncio.timeout(60):
            await asyncio.gather(*(talk(index) for index in range(many)))
            await asyncio.gather(*(client.close() for client in clients))
        await until(lambda: seen(rt)["connections"] == 0)


async def test_an_origin_that_is_none_is_a_problem() -> None:
    async with running(flow("origins: ['example.com']")) as rt:
        problems = [one for one in rt.status().problems if one.path == "ws.origins"]
    assert problems


@pytest.mark.parametrize(
    "header",
    ["X-Name: žluťoučký", "Cookie: a=中文", "Authorization: Bearer ☃", "User-Agent: é"],
)
async def test_a_header_beyond_latin1_does_not_spoil_the_handshake(header: str) -> None:
    async with running(flow()) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"{header}\r\n\r\n".encode()
        )
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 101 Switching Protocols\r\n"
        writer.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "Upgrade, ž"),
        ("Upgrade", "websoc\u212aet"),
        ("Sec-WebSocket-Key", "ž"),
        ("Sec-WebSocket-Version", "１３"),
        ("Sec-WebSocket-Protocol", "žluť"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; ž"),
    ],
)
async def test_a_word_of_the_handshake_beyond_ascii_is_the_clients_fault(
    name: str, value: str
) -> None:
    words = {
        "Host": "x",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        name: value,
    }
    lines = "".join(f"{one}: {text}\r\n" for one, text in words.items())
    async with running(flow()) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(f"GET / HTTP/1.1\r\n{lines}\r\n".encode())
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 400 Bad Request\r\n"
        writer.close()
