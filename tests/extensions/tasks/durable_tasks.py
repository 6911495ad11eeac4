"""Functions that the stories of durable runs use as tasks; what they have done is in these lists."""

import asyncio
import os
import signal
import time
from typing import Any

done: list[str] = []
gates: dict[str, asyncio.Event] = {}


def note(name: str, value: Any = None) -> Any:
    """Note that a task was called; return its value."""
    done.append(name)
    return value


def shout(text: str) -> str:
    """Print, and return the text in capitals."""
    print(f"shouting {text}")
    return text.upper()


async def wait(name: str, value: Any = None) -> Any:
    """Note that a task was called, and wait until its gate is open."""
    done.append(name)
    gate = gates.setdefault(name, asyncio.Event())
    await gate.wait()
    return value


def fail_until(name: str, times: int) -> str:
    """Fail so many times, then succeed."""
    done.append(name)
    if done.count(name) <= times:
        raise ValueError(f"{name} fails for the {done.count(name)}. time")
    return name


async def fail_or_wait(name: str) -> str:
    """Fail for `a`; for any other name, wait until its gate is open."""
    if name == "a":
        return fail_until("a", 1)
    return str(await wait(name, name))


def die(after: Any = None) -> None:
    """Kill the program."""
    del after
    os.kill(os.getpid(), signal.SIGKILL)


def odd(after: Any = None) -> Any:
    """Return what cannot be stored."""
    del after
    return {"rows": [1, {"file": object()}]}


def hold(after: Any = None) -> Any:
    """Hold the event loop for a moment."""
    done.append("hold")
    time.sleep(0.05)
    return after


def shout_quietly(text: str, after: Any = None) -> int:
    """Print a text, and return how long it is."""
    del after
    print(f"the text is {text}")
    return len(text)


def fail_with(text: str, after: Any = None) -> None:
    """Raise an error that says a text, with a cause that says it, too."""
    del after
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"cannot log in with {text}") from error
