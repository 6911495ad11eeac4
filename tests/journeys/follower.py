"""A runtime in a process of its own, which says what is live in it when it is asked on standard input.

    python -m tests.journeys.follower URL

It answers a line `look` with one line of JSON, `{"reached": …, "live": {name: answer}}`, and ends with
its input.
"""

import asyncio
import json
import sys

from heddle.runtime.runtime import Runtime


async def live(rt: Runtime) -> dict[str, str]:
    """Return what every step of the storm answers in this runtime; with it, that pairs agree."""
    found = {
        symbol.spec.name: symbol.spec.fields["code"]
        for symbol in rt.table.all()
        if symbol.spec.name is not None and symbol.spec.kind == "snippet"
    }
    for name, code in found.items():
        if name.startswith("left"):
            assert found.get(name.replace("left", "right")) == code, (name, found)
    return {name: str(await rt.send(name)) for name in found if rt.table.get(name) is not None}


async def main(url: str) -> None:
    """Follow the store until the input ends."""
    loop = asyncio.get_running_loop()
    async with Runtime(store=url) as rt:
        print("ready", flush=True)
        while (await loop.run_in_executor(None, sys.stdin.readline)).strip() == "look":
            print(json.dumps(await live(rt)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
