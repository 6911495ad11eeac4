"""The flows to copy: each is checked, tries itself out, and keeps what its README promises."""

import shlex
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from heddle.cli.main import cli
from heddle.runtime.runtime import Runtime
from tests.docs.fences import fences
from tests.examples.folders import settled, started
from tests.examples.promises import EXAMPLES, promises_of
from tests.support import port_of

SERVICES = (
    "chat",
    "chat-proxy",
    "csv-import",
    "daily-report",
    "gateway",
    "rest-api",
    "schedule",
    "webhook",
    "webhook-relay",
)

NOBODY = "http://127.0.0.1:9/hooks"
"""A target that rejects every connection."""


def commands(example: str, word: str) -> list[list[str]]:
    """Return the words behind each `heddle start`, or `heddle test`, of a README."""
    blocks = (one.code for one in fences(EXAMPLES / example / "README.md") if one.language == "sh")
    lines = (line for code in blocks for line in code.splitlines())
    return [shlex.split(one)[1:] for one in lines if one.startswith(f"heddle {word}")]


@asynccontextmanager
async def running(example: str) -> AsyncIterator[Runtime]:
    """Provide the example, with whatever has to be there beside it."""
    async with AsyncExitStack() as stack:
        if example == "gateway":
            far = await stack.enter_async_context(started("backend"))
            urls = f"http://127.0.0.1:{port_of(far)}"
            rt = started(PASSWORD="lovelace", BACKENDS=urls)
        elif example == "chat-proxy":
            far = await stack.enter_async_context(started("model"))
            rt = started(UPSTREAM=f"http://127.0.0.1:{port_of(far)}", KEY="secret")
        elif example == "schedule":
            rt = started(PAGES="http://localhost:9/")
        elif example == "webhook-relay":
            rt = started(TOKEN="letmein", TARGET=NOBODY)
        else:
            rt = started()
        yield await stack.enter_async_context(rt)


def test_every_folder_with_a_readme_is_tried_here() -> None:
    assert sorted(page.parent.name for page in EXAMPLES.glob("*/README.md")) == list(SERVICES)


def test_the_list_of_examples_leads_to_each() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert [one for one in SERVICES if f"({one}/README.md)" not in listed] == []


@pytest.mark.anyio
@pytest.mark.parametrize("example", SERVICES)
async def test_an_example_keeps_what_its_readme_promises(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(example, tmp_path, monkeypatch)
    told = promises_of(EXAMPLES / example / "README.md")
    assert len(told) >= 2
    async with running(example) as rt:
        status = rt.status()
        assert not [str(problem) for problem in status.problems]
        assert {symbol.state for symbol in status.symbols} == {"active"}
        for promise in told:
            assert promise.port == 8000
            assert await promise.came(port_of(rt)) == promise.told


@pytest.mark.parametrize("example", SERVICES)
def test_an_example_passes_its_own_tests(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(example, tmp_path, monkeypatch)
    [words] = commands(example, "test")
    words = [word.replace("REPORTS=/tmp", f"REPORTS={tmp_path}") for word in words]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    count = sum(
        page.read_text().count("kind: test") for page in (EXAMPLES / example).glob("*.yaml")
    )
    assert result.output.splitlines()[-1].startswith(f"{count} passed in ")


@pytest.mark.parametrize("example", SERVICES)
def test_an_example_has_no_problems(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(example, tmp_path, monkeypatch)
    result = CliRunner().invoke(cli, ["check", "."])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("no problems: ")


@pytest.mark.parametrize("example", SERVICES)
def test_a_readme_starts_it_with_all_that_it_needs(example: str) -> None:
    first, *_ = commands(example, "start")
    given = {word.partition("=")[0] for word in first if "=" in word}
    wanted = {
        "chat-proxy": {"UPSTREAM", "KEY"},
        "gateway": {"PASSWORD", "BACKENDS"},
        "schedule": {"PAGES"},
        "webhook-relay": {"TOKEN", "TARGET"},
    }
    assert given == wanted.get(example, set())
