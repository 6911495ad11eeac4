"""The request of a test to a listener: a virtual request, without a socket."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from heddle.extensions.extension import Answer, Error, NodeError, Payload
from heddle.runtime.flow.contracts import Key
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from heddle.schemas.suggestion import did_you_mean


@runtime_checkable
class VirtualListener(Protocol):
    """A node that can be asked without a socket."""

    async def answer_virtual(
        self, request: Mapping[str, Any], send: Callable[[Payload], Awaitable[Answer]]
    ) -> dict[str, Any]:
        """Answer a virtual request, whose packet `send` brings into the flow; return the response."""
        ...


async def request_listener(process: LiveProcess, request: Any, name: str | None) -> Answer:
    """Send a virtual request into the flow of a listener; return its response.

    NodeError if the request is none, or there is not the one listener that it is for.
    """
    if not isinstance(request, Mapping) or "path" not in request:
        raise _wrong(
            "nothing is linked to out[0], and send is no request (expected: a link, or a map with a path)"
        )
    key, node = _listener(process.wiring, name)

    async def send(payload: Payload) -> Answer:
        answer = await settle(process.send(key, "out", payload))
        failed = type(answer) is Error and process.reason is None
        if failed and process.wiring.targets(key, "error"):
            return await settle(process.send(key, "error", answer))
        return answer

    return await node.answer_virtual(request, send)


def _listener(wiring: Wiring, name: str | None) -> tuple[Key, VirtualListener]:
    listeners = {
        wired.label: (key, wired.node)
        for key, wired in wiring.symbols.items()
        if isinstance(wired.node, VirtualListener)
    }
    if name is not None and name in listeners:
        return listeners[name]
    known = ", ".join(sorted(listeners)) or "none"
    if name is not None:
        hint = did_you_mean(name, listeners)
        raise _wrong(f'there is no active listener "{name}" (there are: {known}). {hint}')
    if len(listeners) != 1:
        count = "no active listener" if not listeners else f"{len(listeners)} listeners ({known})"
        raise _wrong(f"there is {count} for the request (expected: one, or its name as `listener`)")
    return next(iter(listeners.values()))


def _wrong(message: str) -> NodeError:
    return NodeError(Error(message.rstrip(" ."), code="request"))
