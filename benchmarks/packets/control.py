"""Control kinds, beside the `if`, `try` and `for` that one would write."""

import asyncio
from collections import OrderedDict
from functools import reduce
from time import monotonic
from typing import Any

from benchmarks.packets.case import Case, case


def more(value: Any) -> Any:
    """Return what most flows here lead to, on both sides."""
    return value + 1


MORE = "- {kind: snippet, name: more, language: python, code: payload + 1}\n"
TO_MORE = "ports: {out: {name: more}}"
FIRST = (
    "- {kind: snippet, name: it, language: python, code: payload + 1, ports: {out: {name: held}}}\n"
)


class Breaker:
    """Five failures in a row, and it is open for half a minute."""

    def __init__(self) -> None:
        self.failures = 0
        self.until = 0.0

    def __call__(self, packet: Any) -> Any:
        if self.failures >= 5 and monotonic() < self.until:
            raise RuntimeError("open")
        try:
            answer = more(packet)
        except Exception:
            self.failures += 1
            self.until = monotonic() + 30
            raise
        self.failures = 0
        return answer


class Cache:
    """Answers by key, for a while, the one not used longest in front."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def __call__(self, packet: Any) -> Any:
        key = packet["city"]
        found = self.kept.get(key)
        if found is not None and found[1] > monotonic():
            self.kept.move_to_end(key)
            return found[0]
        answer = packet["degrees"] + 1
        self.kept[key] = answer, monotonic() + 60
        return answer


class Collect:
    """Lists of a hundred, each sent on in a task of its own."""

    def __init__(self) -> None:
        self.window: list[Any] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def send(self, packet: Any) -> None:
        """Take one in."""
        self.window.append(packet)
        if len(self.window) == 100:
            window, self.window = self.window, []
            task = asyncio.ensure_future(self._send(window))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _send(self, window: list[Any]) -> None:
        del window


class Debounce:
    """The last one, once it was quiet for a minute."""

    def __init__(self) -> None:
        self.timer: asyncio.TimerHandle | None = None
        self.last: Any = None

    def __call__(self, packet: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.last = packet
        self.timer = asyncio.get_running_loop().call_later(60, self._send)

    def _send(self) -> None:
        self.timer = None


class Dedupe:
    """Keys that were seen, for an hour."""

    def __init__(self) -> None:
        self.seen: OrderedDict[Any, float] = OrderedDict()

    def __call__(self, packet: Any) -> Any:
        key = packet["id"]
        until = self.seen.get(key)
        if until is not None and until > monotonic():
            return None
        self.seen[key] = monotonic() + 3600
        return None


class Throttle:
    """A bucket of tokens, which never runs dry here."""

    def __init__(self) -> None:
        self.tokens, self.at = 1e9, monotonic()

    async def turn(self, packet: Any) -> Any:
        """Go on, as soon as there is a token."""
        now = monotonic()
        self.tokens = min(1e9, self.tokens + (now - self.at) * 1e9)
        self.at = now
        if self.tokens < 1:
            raise RuntimeError("busy")
        self.tokens -= 1
        return more(packet)


class ThrownError(Exception):
    """What `throw` throws."""


def _thrown(packet: Any) -> Any:
    try:
        raise ThrownError(packet)
    except ThrownError as error:
        return error


def _excused(packet: Any) -> Any:
    try:
        raise ThrownError(packet)
    except ThrownError as error:
        return "it failed: " + str(error)


def _retried(packet: Any) -> Any:
    for attempt in range(3):
        try:
            return more(packet)
        except Exception:
            if attempt == 2:
                raise
    return None


def _looped(packet: Any) -> Any:
    while packet < 10:
        packet = more(packet)
    return packet


def _switched(packet: Any) -> Any:
    if packet > 100:
        return packet
    if packet > 10:
        return packet
    return more(packet)


async def _forked(packet: Any) -> None:
    async def work() -> Any:
        return more(packet)

    await asyncio.ensure_future(work())


async def _slept(packet: Any) -> Any:
    await asyncio.sleep(0.001)
    return packet


class Session:
    """What is kept for a while."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def __call__(self, packet: Any) -> Any:
        self.kept["user"] = packet["user"]
        return {"user": self.kept["user"]}


VISIT = (
    "It looks at answers, so its coroutine stays on the packet's stack: it may wait at each send, be "
    "cancelled or watched there, and nest without recursion. A call of a Python function does none of that."
)
MERGE = (
    "Two packets, each with an answer, of a split and a merge that know nothing of each other; what never "
    "comes is told when the process ends. The floor is a list of two."
)
EACH = "Each item is an expression over `total`, `value`, `index` and `key`, in a language that can be stopped."
SESSION = (
    "What is kept belongs to the outermost process, which is looked for, and is let go with it."
)
TURNS = "It may wait for its turn, so it runs in a task, and packets of one process take turns in order."

PAIR = "- kind: split\n  name: it\n  ports: {'out[0]': {name: both, port: 'in[0]'}, 'out[1]': {name: both, port: 'in[1]'}}\n"

CASES: tuple[Case, ...] = (
    case(
        "block",
        "one node inside, behind one outside",
        f"{FIRST}- kind: block\n  name: held\n  specs:\n  {MORE}  inbounds: {{in: {{name: more}}}}\n",
        1,
        lambda packet: more(more(packet)),
    ),
    case(
        "breaker",
        "closed",
        f"- {{kind: breaker, name: it, {TO_MORE}}}\n{MORE}",
        1,
        Breaker(),
        reach=15.0,
        reason=VISIT,
    ),
    case(
        "cache",
        "an answer that is kept",
        "- {kind: cache, name: it, key: self.city, ports: {out: {name: ask}}}\n"
        "- {kind: snippet, name: ask, language: python, code: 'payload[\"degrees\"] + 1'}\n",
        {"city": "Rome", "degrees": 30},
        Cache(),
    ),
    case(
        "call",
        "arguments and a result",
        "- kind: call\n  name: it\n  target: more\n  args: self.n\n"
        '  result: \'{"was": payload.n, "now": answer}\'\n' + MORE,
        {"n": 1},
        lambda packet: {"was": packet["n"], "now": more(packet["n"])},
        reach=20.0,
        reason=VISIT,
    ),
    case(
        "collect",
        "windows of a hundred",
        "- {kind: collect, name: it, count: 100, ports: {out: {name: end}}}\n- {kind: nop, name: end}\n",
        1,
        Collect().send,
        burst=100,
    ),
    case("debounce", "another packet", "- {kind: debounce, name: it, wait: 1m}\n", 1, Debounce()),
    case(
        "dedupe",
        "seen before",
        "- {kind: dedupe, name: it, key: self.id, ports: {'out[0]': {name: end}}}\n- {kind: nop, name: end}\n",
        {"id": 7},
        Dedupe(),
    ),
    case(
        "for",
        "ten items",
        f"- {{kind: for, name: it, ports: {{'out[0]': {{name: more}}}}}}\n{MORE}",
        list(range(10)),
        lambda packet: [more(one) for one in packet],
        reach=30.0,
        reason=VISIT,
    ),
    case("fork", "a child", f"- {{kind: fork, name: it, {TO_MORE}}}\n{MORE}", 1, _forked),
    case(
        "if",
        "true",
        f"- {{kind: if, name: it, when: self > 0, ports: {{'out[0]': {{name: more}}}}}}\n{MORE}",
        1,
        lambda packet: more(packet) if packet > 0 else packet,
    ),
    case(
        "merge",
        "two, which a split sent",
        f"{PAIR}- {{kind: merge, name: both}}\n",
        [1, 2],
        lambda packet: [packet[0], packet[1]],
        reach=220.0,
        reason=MERGE,
    ),
    case("nop", "nothing", "- {kind: nop, name: it}\n", 1, lambda _: None),
    case(
        "pipe",
        "two stages",
        f"- {{kind: pipe, name: it, ports: {{'out[0]': {{name: more}}, 'out[1]': {{name: more}}}}}}\n{MORE}",
        1,
        lambda packet: more(more(packet)),
        reach=25.0,
        reason=VISIT,
    ),
    case(
        "reduce",
        "the sum of ten items",
        "- {kind: reduce, name: it, initial: 0, each: total + value}\n",
        list(range(10)),
        lambda packet: reduce(lambda total, value: total + value, packet, 0),
        reach=25.0,
        reason=EACH,
    ),
    case(
        "retry",
        "well at once",
        f"- {{kind: retry, name: it, {TO_MORE}}}\n{MORE}",
        1,
        _retried,
        reach=20.0,
        reason=VISIT,
    ),
    case(
        "session",
        "a value kept and given",
        "- {kind: session, name: it, set: {user: self.user}, get: [user]}\n",
        {"user": "ada"},
        Session(),
        reach=20.0,
        reason=SESSION,
    ),
    case(
        "sleep",
        "1 ms",
        "- {kind: sleep, name: it, interval: 1ms}\n",
        1,
        _slept,
    ),
    case(
        "snippet",
        "a python expression",
        "- {kind: snippet, name: it, language: python, code: payload + 1}\n",
        1,
        more,
    ),
    case(
        "split",
        "three elements",
        "- {kind: split, name: it, ports: {'out[0]': {name: more}, 'out[1]': {name: more}, 'out[2]': {name: more}}}\n"
        + MORE,
        [1, 2, 3],
        lambda packet: [more(packet[0]), more(packet[1]), more(packet[2])],
        reach=45.0,
        reason=VISIT,
    ),
    case(
        "step",
        "two nodes inside, behind one outside",
        f"{FIRST}- kind: step\n  name: held\n  specs:\n"
        + "    - {kind: snippet, language: python, code: payload + 1}\n" * 2,
        1,
        lambda packet: more(more(more(packet))),
    ),
    case(
        "switch",
        "the default, after two conditions",
        "- kind: switch\n  name: it\n  matches: [{when: self > 100, port: 'out[0]'}, {when: self > 10, port: 'out[1]'}]\n"
        f"  default: out[2]\n  ports: {{'out[2]': {{name: more}}}}\n{MORE}",
        1,
        _switched,
    ),
    case(
        "throttle",
        "a turn at once",
        f"- {{kind: throttle, name: it, count: 1000000000, {TO_MORE}}}\n{MORE}",
        1,
        Throttle().turn,
        reach=40.0,
        reason=TURNS,
    ),
    case("throw", "a text", "- {kind: throw, name: it}\n", "sold out", _thrown, seen=str),
    case(
        "try",
        "an Error, excused",
        "- {kind: try, name: it, ports: {out: {name: fail}, error: {name: excuse}}}\n"
        "- {kind: throw, name: fail}\n"
        "- {kind: snippet, name: excuse, language: python, code: '\"it failed: \" + str(payload)'}\n",
        "sold out",
        _excused,
    ),
    case(
        "while",
        "ten rounds",
        f"- {{kind: while, name: it, when: self < 10, ports: {{'out[0]': {{name: more}}}}}}\n{MORE}",
        0,
        _looped,
        reach=30.0,
        reason=VISIT,
    ),
)
