"""A mock stands for a node during one test: it answers or fails as the test says, or another node does its work."""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Final

import msgspec

from heddle.extensions.extension import (
    Action,
    Answer,
    Error,
    FieldError,
    Fields,
    Flow,
    Handler,
    Node,
    NodeError,
    Visit,
    about,
)
from heddle.runtime.flow.contracts import Key
from heddle.runtime.flow.wiring import WiredSymbol, Wiring
from heddle.schemas.suggestion import did_you_mean

UNKNOWN: Final = "unknown-node"
"""The code of the Error of a mock whose node is not there."""


class StandIn(Fields):
    """The node that does the work of another one during a test."""

    name: Annotated[str, about("The node, by name.")]
    port: Annotated[str, about("The in port that the packets are sent to.")] = "in"


class MockFields(Fields):
    """The behaviour of a node during a test, in the place of its own work."""

    answer: Annotated[
        Any, about("It answers this; what is linked to its port `out` is sent it first.")
    ] = msgspec.UNSET
    fail: Annotated[str | None, about("It fails with this message.")] = None
    code: Annotated[str, about("The code of the Error with which it fails.")] = "failed"
    with_: Annotated[
        StandIn | None, about("Another node is sent its packets, and answers in its place.")
    ] = msgspec.field(name="with", default=None)

    def __post_init__(self) -> None:
        ways = {
            "answer": self.answer is not msgspec.UNSET,
            "fail": self.fail is not None,
            "with": self.with_ is not None,
        }
        chosen = [name for name, is_chosen in ways.items() if is_chosen]
        if len(chosen) != 1:
            actual = " and ".join(chosen) if chosen else "neither answer, fail nor with"
            raise FieldError(actual, expected="one of answer, fail and with")


class MockNode(Node):
    """Answers each packet alike, at every in port."""

    def __init__(self, fields: MockFields, label: str) -> None:
        self._fields = fields
        self._label = label

    def handler(self, port: str) -> Handler:
        """Return what gives the answer."""
        del port
        return Action(self._answer)

    def _answer(self, _payload: Any) -> Answer:
        fields = self._fields
        if fields.fail is not None:
            return Error(fields.fail, code=fields.code, symbol=self._label)
        return fields.answer


class StandInNode(Node):
    """Sends each packet out of the port that leads to the node in its place."""

    def handler(self, port: str) -> Handler:
        """Return what hands the packet on."""
        del port
        return Visit(self._hand_on)

    async def _hand_on(self, flow: Flow, payload: Any) -> Answer:
        answer = await flow.send("out", payload)
        if type(answer) is Error:
            # As if the node itself had failed: its own `error` port is asked.
            raise NodeError(answer)
        return answer


def mock_symbols(mocks: Mapping[str, MockFields], wiring: Wiring) -> dict[Hashable, WiredSymbol]:
    """Return the mocks by the ids of their nodes; NodeError names every node that is not there."""
    keys = {wired.label: key for key, wired in wiring.symbols.items()}
    symbols: dict[Hashable, WiredSymbol] = {}
    missing: list[str] = []
    for name, fields in mocks.items():
        stand_in = fields.with_.name if fields.with_ is not None else name
        missing += [
            f'mocks: there is no node "{each}" (expected: the name of a node, or workflow/task). '
            f"{did_you_mean(each, keys)}".rstrip(". ")
            for each in dict.fromkeys((name, stand_in))
            if each not in keys
        ]
        if name in keys and stand_in in keys:
            real = wiring.symbols[keys[name]]
            symbols[keys[name]] = _mocked(fields, real, keys[stand_in])
    if missing:
        raise NodeError(Error("\n".join(missing), code=UNKNOWN))
    return symbols


def _mocked(fields: MockFields, real: WiredSymbol, stand_in: Key) -> WiredSymbol:
    if fields.with_ is None:
        return msgspec.structs.replace(real, node=MockNode(fields, real.label))
    links = {"out": ((stand_in, fields.with_.port),), "error": real.links.get("error", ())}
    return msgspec.structs.replace(real, node=StandInNode(), links=links)
