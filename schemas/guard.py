"""A Guard is what any Spec with in ports may say beside its kind's fields: limits round its node.

A kind that has a field of the same name means its own by it (`for` has its own `concurrency`).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from heddle.schemas.code import Expression
from heddle.schemas.field import Fields, about
from heddle.schemas.schema import Schema
from heddle.schemas.shape import fields_of
from heddle.schemas.units import Duration, Interval

_Count = Annotated[int, msgspec.Meta(ge=1)]


class Again(Fields):
    """The rule for trying again something that failed: how often, and after which pauses."""

    attempts: Annotated[
        int, about("How often it is tried at most, the first time included.", ge=1)
    ] = 3
    delay: Annotated[Duration, about("The pause before it is tried again for the first time.")] = (
        Duration(0)
    )
    factor: Annotated[
        float, about("How many times longer each further pause is.", ge=1, le=1000)
    ] = 2.0
    max_delay: Annotated[
        Duration, about("No pause is longer than this, or than `delay` if that is longer.")
    ] = Duration(30)
    jitter: Annotated[
        float, about("The share of each pause that may be left out at random.", ge=0, le=1)
    ] = 0.5
    when: Annotated[
        Expression | None,
        about(
            "Which Errors are worth another attempt. It sees `code`, `message`, `data` and `symbol` "
            "of the Error, and `attempt`, the number of attempts so far.",
            examples=["code == 'timeout'"],
        ),
    ] = None


class ConcurrencyFields(Fields):
    """The limits of processes: how many may be inside a node, and how many may wait for that."""

    limit: Annotated[int, about("How many processes may be inside at the same time.", ge=1)]
    queue: Annotated[
        int,
        about("How many more may wait, in the order they came; one more is an Error `busy`.", ge=0),
    ] = 1000


class GuardFields(Fields):
    """The parts of a Spec that stand around its node."""

    timeout: Annotated[
        Interval | None,
        about("The longest time for a packet, or for each attempt at it; then an Error `timeout`."),
    ] = None
    retry: Annotated[
        _Count | Again | None,
        about(
            "Try a packet again that failed: how often at most, the first time included, or a "
            "mapping that says more.",
            examples=[3, {"attempts": 5, "delay": "100ms"}],
        ),
    ] = None
    concurrency: Annotated[
        _Count | ConcurrencyFields | None,
        about(
            "How many processes may be inside at the same time; the others wait in the order they "
            "came.",
            examples=[10, {"limit": 10, "queue": 100}],
        ),
    ] = None

    keep_packet: Annotated[
        bool,
        about(
            "Send `{error, packet}` to the port `error`: the Error as a map of `message`, `code`, "
            "`data`, `symbol` and `port`, and the packet that failed."
        ),
    ] = False

    @property
    def again(self) -> Again | None:
        """`retry` as the mapping it stands for."""
        return Again(attempts=self.retry) if isinstance(self.retry, int) else self.retry

    @property
    def turns(self) -> ConcurrencyFields | None:
        """`concurrency` as the mapping it stands for."""
        concurrency = self.concurrency
        return ConcurrencyFields(limit=concurrency) if isinstance(concurrency, int) else concurrency


GUARDS = frozenset(field.name for field in fields_of(GuardFields))


def guards_of(schema: Schema[Any]) -> frozenset[str]:
    """Return the fields of a Guard that a Spec of this kind may have; none if no packet comes in."""
    if not schema.ins and schema.ports is None:
        return frozenset()
    group: type[msgspec.Struct] = schema.fields
    return GUARDS.difference(field.name for field in fields_of(group))


def apart(
    fields: Mapping[str, Any], schema: Schema[Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the fields of the kind itself, and those of its Guard."""
    if GUARDS.isdisjoint(fields):
        return fields, {}
    known = guards_of(schema)
    given = {name: value for name, value in fields.items() if name in known}
    own = {name: value for name, value in fields.items() if name not in known}
    return own, given
