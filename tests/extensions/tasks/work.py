"""Functions that the workflows of tests call, and helpers to run one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from heddle.extensions.extension import Answer
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.runtime import Runtime
from heddle.schemas.problem import Problem
from heddle.specs.yaml.document import read_text


class Journey:
    """What the functions of one test have done, in order, and how many were inside at once."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.inside = 0
        self.most = 0
        self.cancelled: list[Any] = []
        self.gate = asyncio.Event()
        self.began = asyncio.Event()


journey = Journey()


def forget() -> Journey:
    """Begin a new Journey, and return it."""
    journey.__dict__.update(Journey().__dict__)
    return journey


def note(**inputs: Any) -> Any:
    """Note the inputs, and return them."""
    journey.log.append(inputs)
    return inputs


def name_it(name: str) -> str:
    """Note the name, and return it."""
    journey.log.append(name)
    return name


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def double(x: int) -> int:
    """Double a number."""
    return x * 2


async def double_later(x: int) -> int:
    """Double a number, a turn of the loop later."""
    await asyncio.sleep(0)
    return x * 2


def total(values: list[int]) -> int:
    """Add numbers up."""
    return sum(values)


def numbers(count: int = 3) -> list[int]:
    """Return the first whole numbers."""
    return list(range(count))


def fail(message: str = "broken") -> None:
    """Fail."""
    journey.log.append("fail")
    raise ValueError(message)


def fail_on(x: int, bad: int = 2) -> int:
    """Fail on one number, and return the others."""
    if x == bad:
        raise ValueError(f"not {bad}")
    return x


def flaky(good: int = 3) -> str:
    """Fail until it is called for the `good`th time."""
    journey.log.append("flaky")
    if len(journey.log) < good:
        raise ValueError(f"attempt {len(journey.log)}")
    return f"attempt {len(journey.log)}"


async def flaky_later(good: int = 3) -> str:
    """Fail until it is called for the `good`th time, after a turn of the loop."""
    await asyncio.sleep(0)
    return flaky(good)


async def count_inside(x: Any = None) -> Any:
    """Count how many are inside at once."""
    journey.inside += 1
    journey.most = max(journey.most, journey.inside)
    try:
        await asyncio.sleep(0.001)
    finally:
        journey.inside -= 1
    return x


async def hang(x: Any = None) -> Any:
    """Wait until it is cancelled, and note that."""
    journey.log.append(("began", x))
    journey.began.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        journey.cancelled.append(x)
        raise


async def wait_for_gate(x: Any = None) -> Any:
    """Wait until the gate of the test opens."""
    journey.log.append(("began", x))
    journey.began.set()
    await journey.gate.wait()
    return x


async def sleep(seconds: float, x: Any = None) -> Any:
    """Sleep, and return a value."""
    await asyncio.sleep(seconds)
    journey.log.append(x)
    return x


def pieces(count: int) -> Iterator[int]:
    """Yield numbers."""
    yield from range(count)


async def pieces_later(count: int) -> AsyncIterator[int]:
    """Yield numbers, one a turn."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def wrong_type() -> int:
    """Return a text, although the hint says a number."""
    return "a text"  # type: ignore[return-value]


AT = "tests.extensions.tasks.work"


async def run(rt: Runtime, name: str, payload: Any = None) -> Answer:
    """Send a packet to the workflow of this name, and return the answer of its process."""
    symbol = rt.table.get(name)
    assert symbol is not None, f"there is no {name}"
    process = LiveProcess(rt.table.wiring)
    return await finish(process, process.run(process.wiring.entry(symbol.id, "in"), payload))


def plain_run(rt: Runtime, name: str, payload: Any = None) -> Answer:
    """Return the answer of a workflow that does not wait; a plain call gives it."""
    symbol = rt.table.get(name)
    assert symbol is not None, f"there is no {name}"
    process = LiveProcess(rt.table.wiring)
    answer = process.run(process.wiring.entry(symbol.id, "in"), payload)
    process.end()
    return answer


def workflow(tasks: str, *, name: str = "w", **fields: Any) -> str:
    """Return the YAML of a workflow; `$` in the tasks stands for the module of these functions."""
    more = "".join(f"  {key.rstrip('_')}: {value}\n" for key, value in fields.items())
    body = "".join(f"    {line}\n" for line in tasks.replace("$", AT).strip().splitlines())
    return f"- kind: workflow\n  name: {name}\n{more}  tasks:\n{body}"


def problems(rt: Runtime) -> list[Problem]:
    """Return the Problems of a runtime."""
    return list(rt.status().problems)


def specs(text: str) -> Any:
    """Return the Specs of a text."""
    reading = read_text(text, file="flow.yaml")
    assert not reading.problems
    return reading.specs


def count_up(**inputs: int) -> int:
    """Return one more than the largest input."""
    return 1 + max(inputs.values(), default=0)


async def count_up_later(**inputs: int) -> int:
    """Do the same, some turns of the loop later."""
    for _ in range(len(inputs)):
        await asyncio.sleep(0)
    return 1 + max(inputs.values(), default=0)


def fail_always(**inputs: Any) -> None:
    """Fail, whatever the inputs are."""
    raise ValueError(f"broken with {len(inputs)} inputs")
