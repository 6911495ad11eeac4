"""Every example runs for real, and keeps what its comments promise."""

import asyncio
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.runtime.runtime import Runtime
from heddle.specs.yaml.document import read_path, read_text
from tests.examples.promises import EXAMPLES, promises, texts
from tests.examples.test_services import SERVICES
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

FLOWS = ("api", "background.yaml", "errors.yaml", "hello-json.yaml", "ping.yaml")


def flow(store: str | Path, **options: Any) -> Runtime:
    """Return a runtime of an example, on a port that is free."""
    return Runtime(store=os.fspath(store), environment={"PORT": 0}, **options)


def test_every_example_is_tried_here() -> None:
    # Who runs one leaves a hidden folder there: its history, and how its runtime is.
    paths = [path for path in EXAMPLES.iterdir() if not path.name.startswith(".")]
    there = {path.name for path in paths if path.suffix != ".md"}
    assert there == {*FLOWS, "extension", "tasks", *SERVICES}


@pytest.mark.parametrize("example", FLOWS)
async def test_an_example_keeps_what_its_comments_promise(example: str) -> None:
    told = [promise for text in texts(example).values() for promise in promises(text)]
    assert told, "the comments promise nothing"
    async with flow(EXAMPLES / example) as rt:
        status = rt.status()
        assert not status.problems
        assert {symbol.state for symbol in status.symbols} == {"active"}
        for promise in told:
            assert await promise.came(port_of(rt)) == promise.told


@pytest.mark.parametrize("example", [*FLOWS, "extension", *SERVICES])
def test_every_file_of_an_example_says_what_it_is(example: str) -> None:
    for name, text in texts(example).items():
        assert text.startswith("#"), f"{name} begins without a word to its reader"
    whole = "\n".join(texts(example).values())
    assert "heddle start" in whole, "nobody is told how to run it"


def test_the_webhook_receiver_is_as_short_as_it_says() -> None:
    text = (EXAMPLES / "webhook" / "webhook.yaml").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert f"in {len(lines)} lines" in text
    assert f"in {len(lines)} lines" in (EXAMPLES / "README.md").read_text()
    assert len(lines) <= 40


async def test_the_answer_of_background_work_does_not_wait_for_it() -> None:
    async with flow(EXAMPLES / "background.yaml") as rt:
        failed = asyncio.ensure_future(rt.events.wait("fork failed"))
        reply = await fetch(port_of(rt), "/jobs", method="POST")
        assert (reply.status, failed.done()) == (202, False)
        async with asyncio.timeout(60):
            event = await failed
    assert event.reason.startswith("no such machine: ")


async def test_the_extension_example_finds_its_kind_by_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = EXAMPLES / "extension"
    settings = tomllib.loads((folder / "heddle.toml").read_text())
    assert set(settings) == {"store", "extensions"}
    monkeypatch.syspath_prepend(str(folder))
    try:
        async with flow(folder / settings["store"], extensions=settings["extensions"]) as rt:
            assert not rt.status().problems
            for text in texts("extension").values():
                for promise in promises(text):
                    assert await promise.came(port_of(rt)) == promise.told
    finally:
        sys.modules.pop("words", None)


UNIFLOW_PING = """
- kind: listener
  name: listener
  protocol: http
  port: '{{ .PORT }}'
  env:
    PORT:
      data: '{{ .PORT }}'
  ports:
    out:
      - name: router
        port: in

- kind: router
  name: router
  routes:
    - method: GET
      path: /ping
      port: out[0]
  ports:
    out[0]:
      - name: pong
        port: in

- kind: snippet
  name: pong
  language: text
  code: pong
"""
"""uniflow's first example: the same nodes, fields and links as `examples/ping.yaml`."""


async def test_the_ping_of_uniflow_runs_unchanged(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(UNIFLOW_PING)
    async with flow(tmp_path / "ping.yaml") as rt:
        reply = await fetch(port_of(rt), "/ping")
        lost = await fetch(port_of(rt), "/pong")
    assert (reply.status, reply.text) == (200, "pong")
    assert lost.status == 404


def test_our_ping_says_what_the_ping_of_uniflow_says() -> None:
    ours = read_path(EXAMPLES / "ping.yaml")
    theirs = read_text(UNIFLOW_PING)
    assert not ours.problems
    assert [plain(spec) for spec in ours.specs] == [plain(spec) for spec in theirs.specs]


def plain(spec: Any) -> dict[str, Any]:
    """Return a Spec without the places where it was written."""
    return msgspec.structs.asdict(msgspec.structs.replace(spec, places=None))
