"""log, print and signal: what people are shown, and what the operating system says."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.extension import node
from heddle.extensions.system.log import LOG
from heddle.extensions.system.print_ import PRINT
from heddle.extensions.system.signal_ import SIGNAL
from heddle.runtime.events.events import Event
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete
from tests.cli.support import started
from tests.support import change, running

pytestmark = pytest.mark.anyio


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def told(rt: Runtime, name: str = "packet") -> list[Event]:
    """Return the events of this name."""
    return [one for one in rt.events.recent if one.event == name]


# -- log -----------------------------------------------------------------------------------------


async def test_a_packet_is_told_and_passed_on() -> None:
    async with running("- {kind: log, name: l}\n") as rt:
        assert await rt.send("l", {"id": 7}) == {"id": 7}
        [event] = told(rt)
    assert (event.level, event.symbol, event.data) == ("info", "l", {"payload": {"id": 7}})


async def test_an_event_has_the_phrase_level_reason_and_values_that_are_said() -> None:
    flow = """
- kind: log
  name: l
  event: order placed
  level: warning
  message: "'by ' + self.user.name"
  values: {order: self.id, items: size(self.items)}
"""
    async with running(flow) as rt:
        await rt.send("l", {"id": 7, "items": [1, 2], "user": {"name": "Ada"}})
        [event] = told(rt, "order placed")
    assert (event.level, event.reason) == ("warning", "by Ada")
    assert event.data == {"order": 7, "items": 2}


async def test_other_data_is_described_and_long_data_is_cut() -> None:
    async with running("- {kind: log, name: l}\n") as rt:
        for payload in (b"text", b"\xff\x00", ByteStream(nothing()), {"a": b"\xff"}, None):
            assert await rt.send("l", payload) is payload
        await rt.send("l", "x" * 10_000)
        await rt.send("l", ["y" * 10_000])
        shown = [event.data["payload"] for event in told(rt)]
    assert shown[:5] == ["text", "(2 bytes)", "(a byte stream)", {"a": "/w=="}, None]
    assert shown[5] == "x" * 4000 + "… (10000 characters)"
    assert shown[6].endswith("… (10004 characters)")


SECRET = """
- {name: key, data: s3cr3t-key, secret: true}
- {kind: snippet, name: s, language: text, code: 'the key is {{ .KEY }}', env: {KEY: {name: key}}, ports: {out: [{name: NODE, port: in}]}}
"""


async def test_secrets_are_masked_in_a_log() -> None:
    async with running(SECRET.replace("NODE", "l"), "- {kind: log, name: l}\n") as rt:
        assert await rt.send("s", None) == "the key is s3cr3t-key"
        [event] = told(rt)
    assert event.data == {"payload": "the key is ••••••"}


async def test_an_expression_that_fails_is_an_error_and_nothing_is_told() -> None:
    async with running("- {kind: log, name: l, message: self.none.here}\n") as rt:
        assert isinstance(await rt.send("l", {}), Error)
        assert not told(rt)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("kind: log, values: {reason: self}", "Use message for the reason."),
        ("kind: log, values: {event: self}", '"event" is a part that every event has'),
        ("kind: log, level: loud", "loud"),
        ("kind: print, text: 'self +'", "text"),
        ("kind: signal, signals: [SIGTERM]", "one of SIGHUP, SIGUSR1"),
        ("kind: signal, signals: [HPU]", 'Did you mean "SIGHUP"?'),
        ("kind: signal, signals: []", "signals"),
    ],
)
async def test_a_spec_that_cannot_work_is_a_problem(spec: str, said: str) -> None:
    async with running(f"- {{name: x, {spec}}}\n") as rt:
        [problem] = rt.status().problems
    assert said in str(problem)


# -- print ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "payload", "line"),
    [
        ("", "text", "text"),
        ("", {"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        ("", b"bytes", "bytes"),
        ("", b"\xff", "(1 bytes)"),
        ("", None, "null"),
        ("format: json", "text", '"text"'),
        ("text: \"'n is ' + string(self.n)\"", {"n": 1}, "n is 1"),
        ("", "a\x1b[31mred\x07", "a\\x1b[31mred\\x07"),
    ],
)
async def test_a_packet_is_printed_as_a_line_and_passed_on(
    lines: str, payload: Any, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    comma = ", " if lines else ""
    async with running(f"- {{kind: print, name: p{comma}{lines}}}\n") as rt:
        assert await rt.send("p", payload) == payload
    assert capsys.readouterr().out == f"{line}\n"


async def test_it_prints_to_standard_error_where_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with running("- {kind: print, name: p, to: stderr}\n") as rt:
        stream = ByteStream(nothing())
        assert await rt.send("p", stream) is stream
    assert capsys.readouterr() == ("", "(a byte stream)\n")


async def test_secrets_are_masked_in_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(SECRET.replace("NODE", "p"), "- {kind: print, name: p}\n") as rt:
        await rt.send("s", None)
    assert capsys.readouterr().out == "the key is ••••••\n"


# -- signal --------------------------------------------------------------------------------------


def heard(queue: "asyncio.Queue[Any]") -> Any:
    """Return a node that notes what it is sent."""

    @node("heard")
    def put(payload: Any) -> Any:
        queue.put_nowait(payload)
        return payload

    return put


EAR = """
- kind: signal
  name: ear
  signals: [SIGUSR1, usr2]
  ports: {out: [{name: heard, port: in}]}
- {kind: heard, name: heard}
"""


async def test_a_signal_begins_a_process() -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    async with running(EAR, extensions=[heard(queue)]) as rt, asyncio.timeout(60):
        for count, number in enumerate((signal.SIGUSR1, signal.SIGUSR2), 1):
            os.kill(os.getpid(), number)
            assert await queue.get() == {"signal": number.name, "number": number, "count": count}
        symbol = rt.table.get("ear")
        assert symbol is not None
        assert symbol.node.snapshot() == {"signals": ["SIGUSR1", "SIGUSR2"], "count": 2}


async def test_a_signal_is_heard_once_after_a_reload_and_count_goes_on() -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    async with running(EAR, extensions=[heard(queue)]) as rt, asyncio.timeout(60):
        os.kill(os.getpid(), signal.SIGUSR1)
        await queue.get()
        await change(rt, EAR.replace(", usr2", ""))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (await queue.get())["count"] == 2
        await rt.table.wiring.generation.idle()
        assert queue.empty()


async def test_a_change_that_is_rejected_leaves_it_listening() -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    async with running(EAR, extensions=[heard(queue)]) as rt, asyncio.timeout(60):
        bad = EAR.replace("{out:", "{active: [{name: bad, port: in}], out:")
        await change(rt, bad + "- {kind: throw, name: bad}\n")
        assert rt.events.recent[-1].event == "change rejected"
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (await queue.get())["count"] == 1
        await rt.table.wiring.generation.idle()
        assert queue.empty()


async def test_signal_that_nobody_listens_to_any_more_does_what_it_did_before() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    try:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        async with running(EAR, extensions=[heard(queue)]) as rt:
            symbol = rt.table.get("ear")
            assert symbol is not None
            live = asyncio.ensure_future(rt.events.wait("generation live"))
            await asyncio.sleep(0)
            await rt.store.apply([Delete(type=Spec, id=symbol.id)])
            async with asyncio.timeout(60):
                await live
            os.kill(os.getpid(), signal.SIGUSR1)
            assert came == [signal.SIGUSR1]
            assert queue.empty()
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_an_error_is_told() -> None:
    flow = EAR.replace("{kind: heard", "{kind: throw")
    async with running(flow) as rt, asyncio.timeout(60):
        failed = asyncio.ensure_future(rt.events.wait("signal failed"))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (await failed).data["signal"] == "SIGUSR1"


def test_heddle_start_hears_signals(tmp_path: Path) -> None:
    flow = "- {kind: signal, name: ear, signals: [HUP], ports: {out: [{name: l, port: in}]}}\n"
    (tmp_path / "flow.yaml").write_text(flow + "- {kind: log, name: l, event: refresh}\n")
    with started("flow.yaml", cwd=tmp_path) as one:
        one.until("runtime started")
        one.process.send_signal(signal.SIGHUP)
        assert one.until("refresh")["data"]["payload"]["signal"] == "SIGHUP"
        assert one.stop() == 0


async def test_a_signal_outside_of_the_main_thread_rejects_the_spec() -> None:
    def elsewhere() -> str:
        async def main() -> str:
            queue: asyncio.Queue[Any] = asyncio.Queue()
            async with running("- {kind: nop, name: n}\n", extensions=[heard(queue)]) as rt:
                await change(rt, EAR)
                return str(rt.status().problems[0])

        return asyncio.run(main())

    assert "SIGUSR1 cannot be heard here" in await asyncio.to_thread(elsewhere)


@pytest.mark.parametrize("kind", [LOG, PRINT, SIGNAL], ids=lambda kind: kind.name)
async def test_the_example_of_the_page_runs(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(kind.schema.example) as rt:
        assert not rt.status().problems
        if kind is PRINT:
            assert await rt.send("show", {"id": 7}) == "done"
            assert capsys.readouterr().out == "order 7\n"
        elif kind is LOG:
            assert await rt.send("placed", {"id": 7, "items": []}) == "thank you"
        else:
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(60):
                await rt.events.wait("refresh asked for")
