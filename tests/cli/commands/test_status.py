"""heddle status, and --wait: what runtimes say of themselves, for people and for scripts."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from heddle.cli.exit_codes import UNFOLLOWED
from heddle.cli.views.status_watch import looked, picture, print_status_changes
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.namespace_status import NamespaceStatus, namespace_status
from tests.cli.support import PATIENCE, PING, get, heddle, ran, ran_json, started
from tests.runtime.changing import FLOW, do, store_of, until
from tests.specs.stores.postgres.databases import dropped, url_in

WRONG = "{kind: listener, name: second, host: 203.0.113.1, port: 1}"
"""Nobody can listen at an address that is another machine's."""


@pytest.fixture(params=["folder", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a store in which runtimes say how they are; with a flow."""
    if request.param == "folder":
        folder = tmp_path / "store"
        folder.mkdir()
        ran("apply", "-f", "-", "--store", folder, stdin=PING)
        yield str(folder)
        return
    found, schema = url_in(tmp_path)
    try:
        ran("apply", "-f", "-", "--store", found, stdin=PING)
        yield found
    finally:
        dropped(schema)


def test_status_and_wait_of_a_runtime_that_runs(url: str, tmp_path: Path) -> None:
    at = ("--store", url)
    assert heddle("status", *at).exit_code == UNFOLLOWED == 4
    result = heddle("apply", "-f", "-", "--wait", *at, stdin="{kind: nop, name: early}")
    assert result.exit_code == 0
    assert "no runtime follows the namespace default" in result.stderr
    with started(*at, "-e", "PORT=0", cwd=tmp_path) as run:
        port = run.port()
        told = ran("status", *at)
        assert "1 runtime follows it" in told
        assert [line.split()[2] for line in told.splitlines()[6:]] == ["active"] * 4
        assert ran_json("status", "pong", *at)["ok"]

        # A change is live when --wait ends.
        hello = PING.replace("code: pong", "code: hello")
        said = ran_json("apply", "-f", "-", "--wait", *at, stdin=hello)
        assert [each["state"] for each in said["runtimes"]] == ["live"]
        assert get(port) == "hello"

        # What a runtime rejects is told with its reason; what ran goes on.
        wrong = "- " + WRONG + "\n" + PING.replace("code: pong", "code: bye")
        result = heddle("apply", "-f", "-", "--wait", *at, stdin=wrong)
        assert result.exit_code == 1
        assert "rejected" in result.stdout
        assert "cannot listen on 203.0.113.1:1" in result.stdout
        assert get(port) == "hello"
        assert heddle("status", *at).exit_code == 1
        assert heddle("status", "router", *at).exit_code == 0
        said = ran_json("status", "pong", "second", *at)
        assert {each["name"]: each["state"] for each in said["symbols"]} == {
            "pong": "degraded",
            "second": "rejected",
        }
        result = heddle("status", "nobody", *at)
        assert result.exit_code == 1
        assert 'there is no symbol "nobody"' in result.stderr

        # And the way back.
        said = ran_json("rollback", "now~1", "--wait", *at)
        assert [each["state"] for each in said["runtimes"]] == ["live"]
        assert ran_json("status", *at)["ok"]
        assert run.stop() == 0
    assert heddle("status", *at).exit_code == UNFOLLOWED


def test_runtime_that_hangs_is_behind_and_waited_for_no_longer_than_asked(
    url: str, tmp_path: Path
) -> None:
    at = ("--store", url)
    with started(*at, "-e", "PORT=0", cwd=tmp_path) as run:
        run.port()
        run.process.send_signal(signal.SIGSTOP)
        args = ("apply", "-f", "-", "--wait", "--timeout", "0.2", *at)
        result = heddle(*args, stdin="{kind: nop, name: more}")
        assert result.exit_code == 1
        assert "behind: it has not looked yet" in result.stdout
        assert ran_json("status", "more", *at)["symbols"][0]["state"] == "behind"


def test_a_watch_elsewhere_than_on_a_terminal_is_line_for_each_change(
    url: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from heddle.cli.main import main; main()"]
    watch = subprocess.Popen(
        [*command, "status", "--watch", "--store", url],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        first = {watch.stdout.readline().strip() for _ in range(4)}
        assert any(line.startswith("symbol pong  idle  revision ") for line in first)
        assert "no runtime  follows the namespace default" in first
        ran("apply", "-f", "-", "--store", url, stdin="{kind: nop, name: more}")
        lines = iter(watch.stdout.readline, "")
        assert next(line for line in lines if "more" in line).startswith("symbol more  idle")
    finally:
        watch.kill()
        watch.wait(PATIENCE)
        assert watch.stdout is not None
        watch.stdout.close()


def test_a_store_where_runtimes_say_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mute.py").write_text(
        "from heddle.specs.stores.memory import MemoryStore\n"
        "class Mute(MemoryStore):\n"
        "    report = history = None\n"
        "def register(extension):\n"
        "    extension.store('mute', lambda url, namespace: Mute(url=url))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    at = ("--store", "mute://here", "-x", "mute")
    for command, told in (
        (("status",), "runtimes do not say there how they are"),
        (("apply", "-f", "-", "--wait"), "runtimes do not say there how they are"),
        (("history",), "keeps no revisions"),
        (("show", "1"), "keeps no revisions"),
        (("diff", "1"), "keeps no revisions"),
        (("rollback", "1"), "keeps no revisions"),
    ):
        result = heddle(*command, *at, stdin=PING)
        assert result.exit_code == 1
        assert told in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.anyio
async def test_what_is_watched_is_told_again_only_where_it_is_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def looks(store: object) -> AsyncIterator[NamespaceStatus]:
        yield await namespace_status(store, "default")  # type: ignore[arg-type]
        yield await namespace_status(store, "default")  # type: ignore[arg-type]
        await do(store, "{kind: nop, name: new}")  # type: ignore[arg-type]
        yield await namespace_status(store, "default")  # type: ignore[arg-type]

    async with store_of(FLOW) as store:
        await print_status_changes(looks(store), (), as_json=True)
        first, second = map(json.loads, capsys.readouterr().out.splitlines())
        assert (first["revision"], second["revision"]) == (1, 2)
        async for found in looked(store, "default", ()):
            assert len(found.symbols) == 4
            break


@pytest.mark.anyio
async def test_the_picture_of_a_terminal_shows_runtimes_and_symbols() -> None:
    from rich.console import Console

    async with store_of(FLOW) as store, Runtime(store=store):
        await until(store, lambda _: True)
        console = Console(width=120, file=io.StringIO())
        with console.capture() as captured:
            console.print(picture(await namespace_status(store, "default")))
    drawn = captured.get()
    assert "1 runtime follows it" in drawn
    assert "pong" in drawn
    assert "active" in drawn
