"""Own headers: those that a proxy says itself, to every request or out of each."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from heddle.extensions.extension import Build, Expression, NodeError, Payload, Program
from heddle.extensions.net.http_client.request import Headers, header_name, header_text
from heddle.runtime.flow.elsewhere import once

Scalar: TypeAlias = str | int | float | bool | None


class Own:
    """`names` are the headers that are ours to say: what comes in under them is not passed on."""

    def __init__(self, fixed: Headers, made: Mapping[str, Program], hidden: Iterable[str]) -> None:
        self._fixed = fixed
        self._made = made
        self.names = frozenset([*(name for name, _ in fixed), *made, *hidden])

    def of(self, request: Payload) -> Headers:
        """Return those of one request; raise NodeError if a value does not belong to a header."""
        if not self._made:
            return self._fixed
        made = once(self._made, request).items()
        return [
            *self._fixed,
            *((name, header_text(name, value)) for name, value in made if value is not None),
        ]


def own_headers(
    header: Mapping[str, Scalar], values: Mapping[str, Expression], build: Build
) -> Own:
    """Return those of a Spec; a name that is none, and one that is said twice, are Problems."""
    fixed: Headers = []
    hidden: list[str] = []
    for given, value in header.items():
        name = _name(given, "header", build)
        if value is None:
            hidden.append(name)
        else:
            fixed.append((name, _text(name, value, build)))
    made: dict[str, Program] = {}
    for given, expression in values.items():
        name = _name(given, "values", build)
        if name in hidden or name in made or any(name == text for text, _ in fixed):
            build.reject("values", given, found=f"{name} is said twice", expected="each name once")
        made[name] = build.program(expression, "values", given)
    return Own(fixed, made, hidden)


def _name(given: str, field: str, build: Build) -> str:
    try:
        return header_name(given)
    except NodeError as error:
        build.reject(field, found=error.error.message)


def _text(name: str, value: Scalar, build: Build) -> str:
    try:
        return header_text(name, value)
    except NodeError as error:
        build.reject("header", found=error.error.message)
