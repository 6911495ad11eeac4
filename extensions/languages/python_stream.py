"""A `main` that yields: its result is a stream, and runs on when the next item is asked for."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import Any, Final

from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.flow.stream import Stream

BREATH: Final = 0.01
"""Seconds after which a generator that never waits lets others have their turn."""

Mistake = Callable[[BaseException], BaseException]
"""Makes an error with the line of the code out of what the code raised."""


class StreamProgram:
    """A program whose result is a stream of what `main` yields."""

    streams: Final = True

    def __init__(self, main: Callable[[Any], Any], mistake: Mistake, label: str) -> None:
        self._main = main
        self._mistake = mistake
        self._label = label

    def __call__(self, payload: Any) -> Stream:
        """Return the stream; nothing of `main` runs before somebody reads it."""
        return Stream(self._placed(payload))

    async def _placed(self, payload: Any) -> AsyncGenerator[Any, None]:
        """Yield the items; what the code raises names the node, as it comes up at another one."""
        try:
            async with aclosing(_items(self._main, payload)) as items:
                async for item in items:
                    yield item
        except NodeError:
            raise  # The code, or what feeds it, made its own Error.
        except (Exception, SystemExit) as error:
            problem = Error.of(self._mistake(error), symbol=self._label, port="in")
            raise NodeError(problem) from error


def yields(main: Any) -> bool:
    """Return whether a function gives its results one after the other."""
    return inspect.isgeneratorfunction(main) or inspect.isasyncgenfunction(main)


async def _items(main: Callable[[Any], Any], payload: Any) -> AsyncGenerator[Any, None]:
    generator = main(payload)
    try:
        if inspect.isasyncgen(generator):
            async for item in generator:
                yield item
            return
        began = monotonic()
        for item in generator:
            yield item
            if monotonic() - began > BREATH:
                await asyncio.sleep(0)
                began = monotonic()
    finally:
        if inspect.isasyncgen(generator):
            await generator.aclose()
        else:
            generator.close()
