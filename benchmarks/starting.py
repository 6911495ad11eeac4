"""One start, timed in a process of its own: `python -m benchmarks.starting (ruamel|heddle) FOLDER`.

It prints the seconds and what was found; imports are not part of them.
"""

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter


def parse(folder: Path) -> tuple[float, int]:
    """Read and parse every file with ruamel's C loader, and do nothing with what it gives."""
    from ruamel.yaml import YAML

    loader = YAML(typ="safe")
    began = perf_counter()
    count = sum(len(loader.load(path.read_text())) for path in sorted(folder.glob("*.yaml")))
    return perf_counter() - began, count


async def start(folder: Path) -> tuple[float, int]:
    """Start a runtime on the folder: read, checked, bound, compiled, wired, live, and watched."""
    from heddle.runtime.runtime import Runtime

    began = perf_counter()
    async with Runtime(store=folder, environment={"PORT": 0}) as rt:
        took = perf_counter() - began
        states = [symbol.state for symbol in rt.status().symbols]
    return took, states.count("active")


def main(what: str, folder: Path) -> None:
    """Time one of the two."""
    seconds, count = parse(folder) if what == "ruamel" else asyncio.run(start(folder))
    print(json.dumps({"seconds": seconds, "count": count}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
