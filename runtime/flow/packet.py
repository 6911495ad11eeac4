"""A Packet is one value on its way; every packet gets exactly one answer."""

from collections.abc import Callable, Sequence
from uuid import UUID

from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.specs.model.names import new_id


class Packet:
    """A payload and the right to answer it.

    Nodes that hold a conversation meet packets through a Reader. Everyone else sees the payload
    alone: there the answer is the return value of a call. The id is made when someone looks.
    """

    __slots__ = ("_answer", "_id", "_taken", "payload")

    def __init__(self, payload: Payload, answer: Callable[[Answer], object]) -> None:
        self.payload = payload
        self._answer = answer
        self._taken = False
        self._id: UUID | None = None

    @property
    def id(self) -> UUID:
        """A UUID version 7, made at the first look."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @property
    def answered(self) -> bool:
        """Whether its one answer was given."""
        return self._taken

    def answer(self, value: Answer = NOTHING) -> bool:
        """Give the one answer; False if it had one already (the first one stands)."""
        if self._taken:
            return False
        self._taken = True
        self._answer(value)
        return True


def join(answers: Sequence[Answer]) -> Answer:
    """Return the one answer that several make, in the order of their links.

    NOTHING is dropped. If any is an Error the join is one Error that carries them all. One value
    left is that value; several are a list; none is NOTHING.
    """
    if len(answers) == 2:
        # The common case by far, and worth its own line: one real answer beside a NOTHING.
        first, second = answers
        if second is NOTHING:
            return first
        if first is NOTHING:
            return second
    values = [answer for answer in answers if answer is not NOTHING]
    errors = [value for value in values if type(value) is Error]
    if errors:
        return Error.join(errors)
    if not values:
        return NOTHING
    return values[0] if len(values) == 1 else values
