"""A command whose change set may have been made says so, and makes it once when it is repeated."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.cli.support import heddle
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of
from tests.specs.stores.postgres.test_change_writer import slow

pytestmark = pytest.mark.anyio

ONE = "- {kind: snippet, name: one, language: text, code: one}\n"


async def test_an_unsure_apply_has_its_own_exit_code_and_a_key(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(ONE)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        store = await stack.enter_async_context(opened(url))
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        commits = await stack.enter_async_context(slow(url))
        through = in_schema(line.url, schema_of(url), wait=0.3)
        call = ["apply", "-f", str(file), "--store", through, "--json"]
        applying = asyncio.ensure_future(asyncio.to_thread(heddle, *call))
        await commits.waits()
        await line.cut()
        result = await applying
        said = json.loads(result.stdout)
        assert result.exit_code == 7
        assert (said["ok"], said["unconfirmed"]) == (False, True)
        assert f"Try the same command with --key {said['key']}" in result.stderr
        await commits.end()
        await line.mend()
        again = await asyncio.to_thread(heddle, *call, "--key", said["key"])
        assert (again.exit_code, json.loads(again.stdout)["revision"]) == (0, 1)
        assert len(await store.history()) == 1


async def test_a_delete_of_one_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "flows" / "one.yaml"
    file.parent.mkdir()
    file.write_text(ONE)
    call = ["delete", "specs", "one", "--store", str(file.parent), "--key", "gone"]
    for _ in range(2):
        result = await asyncio.to_thread(heddle, *call)
        assert result.exit_code == 0, result.output
    other = await asyncio.to_thread(heddle, *call[:-1], "other")
    assert other.exit_code == 1
