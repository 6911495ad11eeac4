"""What the docs say to curl is answered as they say."""

import asyncio
import shlex
import shutil
from pathlib import Path

import msgspec
import pytest

from heddle.extensions.manage.system import ApiSettings, system_runtime
from heddle.runtime.runtime import Runtime
from tests.docs.fences import ROOT, Fence, every, pages
from tests.support import port_of

ASKED = [one for one in every("sh") if "api" in one.words]
PAGES = [page for page in pages() if any(one.page == page for one in ASKED)]
CURL = shutil.which("curl")


def commands(one: Fence) -> list[list[str]]:
    """Return the words of each line of a block."""
    lines = [line for line in one.code.splitlines() if line.strip()]
    return [shlex.split(line) for line in lines]


async def curl(words: list[str], folder: Path, port: int) -> tuple[int, bytes]:
    """Return the status and the body that one line comes to; it asks at this port."""
    asked = [word.replace("localhost:7878", f"localhost:{port}") for word in words[1:]]
    process = await asyncio.create_subprocess_exec(
        str(CURL),
        *("-sS", "--max-time", "30", "-w", "\n%{http_code}"),
        *asked,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    body, _, status = out.rpartition(b"\n")
    return int(status), body


@pytest.mark.skipif(CURL is None, reason="there is no curl here")
@pytest.mark.anyio
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
async def test_what_a_page_asks_is_answered(page: Path, tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    shutil.copy(ROOT / "examples" / "ping.yaml", flows / "ping.yaml")
    async with Runtime(store=str(flows), environment={"PORT": 0}) as rt:
        system = system_runtime(rt.store, rt.registry, [rt], serving=ApiSettings(port=0))
        async with system:
            for one in [one for one in ASKED if one.page == page]:
                for words in commands(one):
                    status, body = await curl(words, tmp_path, port_of(system))
                    rejected = "rejected" in one.words
                    assert (status >= 400) is rejected, (one.place, words, body)
                    if rejected:
                        assert msgspec.json.decode(body)["problems"], (one.place, words)


def test_there_is_something_to_ask() -> None:
    assert PAGES
