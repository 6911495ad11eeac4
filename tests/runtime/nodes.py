"""Small nodes and wirings, made of real parts, for the stories of this room."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from heddle.runtime.flow.contracts import Key, Target
from heddle.runtime.flow.errors import NOTHING, Answer, Payload
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.node import Action, Choice, Conversation, Handler, Node, Visit
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.reader import Reader
from heddle.runtime.flow.wiring import Lens, WiredSymbol, Wiring


class Made(Node):
    """A node with these handlers at its in ports."""

    def __init__(self, **handlers: Handler) -> None:
        self._handlers = {port.rstrip("_"): handler for port, handler in handlers.items()}

    def handler(self, port: str) -> Handler | None:
        return self._handlers.get(port)


def made(handler: Handler) -> Node:
    """Return a node with one in port, `in`."""
    return Made(in_=handler)


def act(fn: Callable[..., Any], **options: Any) -> Node:
    """Return a node that is one action; it waits if the function does."""
    return made(Action(fn, **options))


def choose(fn: Callable[[Payload], tuple[str | None, Payload]]) -> Node:
    """Return a node that only chooses."""
    return made(Choice(fn))


def visit(fn: Callable[[Flow, Payload], Any], **options: Any) -> Node:
    """Return a node that looks at answers."""
    return made(Visit(fn, **options))


def talk(fn: Callable[[Reader], Awaitable[None]]) -> Node:
    """Return a node that holds a conversation."""
    return made(Conversation(fn))


def same(payload: Payload) -> Payload:
    return payload


async def later(payload: Payload) -> Payload:
    await asyncio.sleep(0)
    return payload


def add(text: str) -> Node:
    """Write its text behind the payload."""
    return act(lambda payload: payload + text)


def say(answer: Answer) -> Node:
    """Answers this, whatever comes."""
    return act(lambda _: answer, out=None)


def nop() -> Node:
    return say(NOTHING)


def fail(message: str = "broken") -> Node:
    def raises(_: Payload) -> Payload:
        raise ValueError(message)

    return act(raises)


async def through(flow: Flow, payload: Payload) -> Answer:
    """Return a visit that only sends on."""
    return await flow.send("out", payload)


def wire(
    nodes: Mapping[Any, Node],
    links: Mapping[str, str | Sequence[str]] | None = None,
    lens: Lens | None = None,
) -> Wiring:
    """Wiring by names: `{"a.out": ["b", "c:in[1]"]}`."""
    outs: dict[Key, dict[str, tuple[Target, ...]]] = {name: {} for name in nodes}
    for place, wanted in (links or {}).items():
        name, _, port = place.partition(".")
        found = [one.partition(":") for one in ([wanted] if isinstance(wanted, str) else wanted)]
        outs[name][port] = tuple((target, into or "in") for target, _, into in found)
    return wired({name: (node, outs[name]) for name, node in nodes.items()}, lens)


def wired(
    nodes: Mapping[Key, tuple[Node, Mapping[str, tuple[Target, ...]]]], lens: Lens | None = None
) -> Wiring:
    """Wiring of nodes and their links."""
    symbols = {key: WiredSymbol(str(key), node, links) for key, (node, links) in nodes.items()}

    def sources(owner: Key) -> list[str]:
        every = (
            one for _, links in nodes.values() for targets in links.values() for one in targets
        )
        return sorted({port for key, port in every if key == owner})

    return Wiring(symbols, sources, lens=lens)


def chain(count: int, make: Callable[[int], Node]) -> Wiring:
    """As many nodes in a row, each linked from `out` to the next."""
    return wired(
        {
            number: (make(number), {"out": ((number + 1, "in"),)} if number < count - 1 else {})
            for number in range(count)
        }
    )


def run(wiring: Wiring, payload: Payload = "x", start: Key = "a", port: str = "in") -> Answer:
    """Send a payload into a plain flow, outside any event loop; its answer is there at once."""
    process = LiveProcess(wiring)
    answer = process.run(wiring.entry(start, port), payload)
    assert type(answer) is not PendingAnswer
    ended = process.end()
    assert not isinstance(ended, Awaitable)
    return answer


async def ask(
    wiring: Wiring,
    payload: Payload = "x",
    start: Key = "a",
    *,
    port: str = "in",
    deadline: float | None = None,
) -> Answer:
    """Send a payload in a process of its own, and wait for whatever it waits for."""
    process = LiveProcess(wiring)
    if deadline is not None:
        process.deadline = asyncio.get_running_loop().time() + deadline
    answer = await finish(process, process.run(wiring.entry(start, port), payload))
    assert not wiring.processes
    return answer
