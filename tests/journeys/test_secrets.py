"""Secrets through their life: sealed, rotated under load, opened by nobody else; and a wrong key at the start."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heddle.runtime.runtime import Runtime
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.secrets.keyring import KeyFile, Keyring, keys_in
from heddle.specs.stores.opener import open_store
from tests.cli.support import heddle, started
from tests.postgres import schema
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports: {out: {name: router}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /open, port: 'out[0]'}
    - {method: GET, path: /secret, port: 'out[1]'}
  ports:
    out[0]: {name: open}
    out[1]: {name: guard}
- {kind: snippet, name: open, language: text, code: everybody}
- kind: snippet
  name: guard
  language: text
  code: '{{ .P }}'
  env: {P: {name: password}}
"""
VALUES = "- {name: password, secret: true, data: hunter2}\n"
SEPARATE = FLOW.replace("    out[1]: {name: guard}\n", "").replace(
    "    - {method: GET, path: /secret, port: 'out[1]'}\n", ""
)


async def command(*args: str, cwd: Path, stdin: str = "", code: int = 0) -> str:
    """Run a command in a process of its own, which has to end with this code; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from heddle.cli.main import main; main()",
        *args,
        cwd=cwd,
        env={name: text for name, text in os.environ.items() if not name.startswith("HEDDLE_")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate(stdin.encode())
    assert process.returncode == code, out.decode()
    return out.decode()


@asynccontextmanager
async def home(folder: Path, sort: str) -> AsyncIterator[str]:
    """Provide the address of an empty store, with settings that name it and a key file."""
    if sort == "folder":
        (folder / "flows").mkdir()
        (folder / "heddle.toml").write_text('store = "flows"\n[secrets]\nkey_file = "keys"\n')
        yield str(folder / "flows")
        return
    async with schema() as url:
        (folder / "heddle.toml").write_text(f'store = "{url}"\n[secrets]\nkey_file = "keys"\n')
        yield url


def holding(folder: Path, text: bytes) -> list[str]:
    """Return the files below a folder that hold this."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [str(each) for each in files if text in each.read_bytes()]


async def sealed_with(url: str) -> set[str]:
    """Return the ids of the keys that the store's Values are sealed with."""
    store = await open_store(url)
    try:
        return {sealed_by(value.sealed) for value in await store.values()}
    finally:
        await store.close()


@pytest.mark.parametrize("sort", ["folder", "postgres"])
async def test_the_key_is_rotated_while_clients_hammer(tmp_path: Path, sort: str) -> None:
    async with home(tmp_path, sort) as url:
        await command("key", "new", cwd=tmp_path)
        await command("apply", "all", "-f", "-", cwd=tmp_path, stdin=FLOW + VALUES)
        [old] = keys_in((tmp_path / "keys").read_text())
        assert await sealed_with(url) == {old.id}
        keys = Keyring([KeyFile(str(tmp_path / "keys"))])
        async with Runtime(store=url, keys=keys) as rt:
            port, generation = port_of(rt), rt.status().generation
            stop = asyncio.Event()
            answers: list[tuple[int, str]] = []

            async def hammer() -> None:
                while not stop.is_set():
                    reply = await fetch(port, "/secret")
                    answers.append((reply.status, reply.text))

            clients = [asyncio.create_task(hammer()) for _ in range(4)]
            renewed = asyncio.create_task(rt.events.wait("keys changed"))
            await command("key", "new", cwd=tmp_path)
            async with asyncio.timeout(20):
                await renewed
            await command("key", "rotate", "--all-namespaces", cwd=tmp_path)
            [new, _] = keys_in((tmp_path / "keys").read_text())
            assert await sealed_with(url) == {new.id}
            # The old key goes, and the Value gets other data: only that is a reload.
            (tmp_path / "keys").write_text(new.text)
            live = asyncio.create_task(rt.events.wait("generation live"))
            before = len(answers)
            await command("value", "set", "password", cwd=tmp_path, stdin="hunter3\n")
            async with asyncio.timeout(20):
                told = await live
            while len(answers) < before + 20 or answers[-1][1] != "hunter3":
                await asyncio.wait(clients, timeout=0.01)
            stop.set()
            await asyncio.gather(*clients)
            assert told.generation == generation + 1
            assert told.reason == "changed guard"
            assert {status for status, _ in answers} == {200}
            assert {text for _, text in answers} == {"hunter2", "hunter3"}
            assert not [one for one in rt.events.recent if one.event == "change rejected"]


@pytest.mark.parametrize("sort", ["folder", "postgres"])
async def test_a_store_without_its_key_tells_nothing(tmp_path: Path, sort: str) -> None:
    async with home(tmp_path, sort) as url:
        await command("key", "new", cwd=tmp_path)
        await command("value", "set", "password", cwd=tmp_path, stdin="hunter2\n")
        await command("value", "set", "password", cwd=tmp_path, stdin="hunter3\n")
        for line, code in (("history", 0), ("show password", 0), ("diff now~1 now", 3)):
            assert "hunter" not in await command(*line.split(), cwd=tmp_path, code=code)
        (tmp_path / "keys").unlink()
        store = await open_store(url)
        try:
            assert [value.data for value in await store.values()] == [None]
        finally:
            await store.close()
    assert not holding(tmp_path, b"hunter")


async def test_with_a_wrong_key_at_the_start_rest_runs_and_says_why(tmp_path: Path) -> None:
    async with home(tmp_path, "folder"):
        await command("key", "new", cwd=tmp_path)
        guard = FLOW[FLOW.index("- kind: snippet\n  name: guard") :]
        await command("apply", "all", "-f", "-", cwd=tmp_path, stdin=SEPARATE + VALUES)
        await command("apply", "specs", "-f", "-", cwd=tmp_path, stdin=guard)
        [right] = keys_in((tmp_path / "keys").read_text())
        (tmp_path / "keys").unlink()
        await command("key", "new", cwd=tmp_path)
        with started(cwd=tmp_path) as one:
            left_out = await asyncio.to_thread(one.until, "specs left out")
            port = await asyncio.to_thread(_port, one.told, one)
            reply = await fetch(port, "/open")
            assert (reply.status, reply.text) == (200, "everybody")
            [problem] = left_out["problems"]
            assert problem["code"] == "missing-key"
            assert 'the Value "password" is sealed with the key ' + right.id in problem["found"]
            assert problem["file"].endswith("default.yaml")
            # The right key comes back beside the wrong one: it is taken up while it runs.
            with (tmp_path / "keys").open("a") as keys:
                keys.write(right.text + "\n")
            live = await asyncio.to_thread(
                one.until, "generation live", lambda told: "guard" in told.get("reason", "")
            )
            assert live["reason"] == "changed guard"
            assert await asyncio.to_thread(one.stop) == 0


def _port(told: list[dict[str, object]], one: object) -> int:
    """Return the port of what listens already."""
    from tests.cli.support import Started

    assert isinstance(one, Started)
    listening = [each for each in told if each["event"] == "listening"]
    if not listening:
        listening = [one.until("listening")]
    data = listening[0]["data"]
    assert isinstance(data, dict)
    return int(str(data["url"]).rpartition(":")[2])


def test_a_command_says_what_is_missing_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.yaml").write_text(FLOW + VALUES)
    assert heddle("key", "new", "-o", "keys").exit_code == 0
    env = {"HEDDLE_KEY_FILE": "keys", "HEDDLE_STORE": "flow.yaml"}
    assert heddle("key", "rotate", "--clear", env=env).exit_code == 0
    for other in ({}, {"HEDDLE_KEY": "hunter2"}, {"HEDDLE_KEY_FILE": "flow.yaml"}):
        result = heddle(
            "get", "values", "--reveal", "--debug", env={"HEDDLE_STORE": "flow.yaml", **other}
        )
        assert result.exit_code == 1
        assert "is sealed with the key" in result.stderr
        assert "Traceback" not in result.output
        assert "hunter2" not in result.output
