"""A mock stands for a node during one test: it answers, or fails, as the test says."""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Final

import msgspec

from heddle.extensions.extension import (
    Action,
    Answer,
    Error,
    FieldError,
    Fields,
    Handler,
    Node,
    NodeError,
    about,
)
from heddle.runtime.flow.wiring import Wiring
from heddle.schemas.suggestion import did_you_mean

UNKNOWN: Final = "unknown-node"
"""The code of the Error of a mock whose node is not there."""


class MockFields(Fields):
    """The behaviour of a node during a test, in the place of its own work."""

    answer: Annotated[
        Any, about("It answers this; what is linked to its port `out` is sent it first.")
    ] = msgspec.UNSET
    fail: Annotated[str | None, about("It fails with this message.")] = None
    code: Annotated[str, about("The code of the Error with which it fails.")] = "failed"

    def __post_init__(self) -> None:
        if (self.answer is msgspec.UNSET) == (self.fail is None):
            actual = "neither answer nor fail" if self.fail is None else "both answer and fail"
            raise FieldError(actual, expected="answer or fail")


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


def mock_nodes(mocks: Mapping[str, MockFields], wiring: Wiring) -> dict[Hashable, Node]:
    """Return the mocks by the ids of their nodes; NodeError names every one that is not there."""
    keys = {wired.label: key for key, wired in wiring.symbols.items()}
    missing = [name for name in mocks if name not in keys]
    if missing:
        lines = [
            f'mocks: there is no node "{name}" (expected: the name of a node, or workflow/task). '
            f"{did_you_mean(name, keys)}".rstrip(". ")
            for name in missing
        ]
        raise NodeError(Error("\n".join(lines), code=UNKNOWN))
    return {keys[name]: MockNode(fields, name) for name, fields in mocks.items()}
