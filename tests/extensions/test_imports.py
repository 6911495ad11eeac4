"""A runtime pays for what its flow uses: kinds are imported when a Spec first asks for them."""

import subprocess
import sys
from pathlib import Path

CODE = """
import asyncio, sys
from heddle.runtime.runtime import Runtime

async def main():
    async with Runtime(store=sys.argv[1]) as rt:
        print(await rt.send("a", "x"))

asyncio.run(main())
print(*[name for name in sys.modules if name.startswith("heddle.extensions.")], sep="\\n")
"""


def test_a_runtime_imports_no_kind_that_nobody_asks_for(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text("kind: snippet\nname: a\nlanguage: text\ncode: pong\n")
    argv = [sys.executable, "-c", CODE, str(flow)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    answer, *loaded = done.stdout.splitlines()
    assert answer == "pong"
    kinds = [name for name in loaded if name.count(".") > 2 and ".languages." not in name]
    assert kinds == ["heddle.extensions.control.snippet"]
