"""The same commands, with the same output, through the API of a system namespace."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Started, get, heddle, ran, started

FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out:
      - {name: pong, port: in}
- kind: snippet
  name: pong
  language: text
  code: pong
"""
CHANGED = FLOW.replace("code: pong", "code: changed")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, str, Path]]:
    """Yield a runtime of a folder, its API beside it, and the address of both."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "flows").mkdir()
    (folder / "flows" / "flow.yaml").write_text(FLOW)
    with started("flows", "--system", "127.0.0.1:0", "--log-format", "json", cwd=folder) as one:
        flow = one.until("listening")["data"]["url"]
        api = one.until("listening", lambda told: told["namespace"] == "system")["data"]["url"]
        one.told.append({"event": "urls", "flow": flow})
        yield one, api, folder / "flows"


def port_of(one: Started) -> int:
    url: str = next(told["flow"] for told in one.told if told["event"] == "urls")
    return int(url.rpartition(":")[2])


def test_what_is_read_is_the_same_through_the_api(
    served: tuple[Started, str, Path],
) -> None:
    _, api, folder = served
    for args in (
        ("get", "specs"),
        ("get", "specs", "pong"),
        ("get", "values"),
        ("history",),
    ):
        direct = json.loads(ran(*args, "--store", folder, "--json"))
        through = json.loads(ran(*args, "--server", api, "--json"))
        assert direct == through, args


def test_a_change_is_planned_applied_awaited_shown_and_rolled_back(
    served: tuple[Started, str, Path], tmp_path: Path
) -> None:
    one, api, folder = served
    file = tmp_path / "changed.yaml"
    file.write_text(CHANGED)
    planned = heddle("plan", "-f", file, "--server", api)
    assert "code" in planned.output
    assert "changed" in planned.output
    done = heddle("apply", "all", "-f", file, "--server", api, "--wait", "-m", "try it", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [change["action"] for change in said["changes"]] == ["unchanged", "updated"]
    assert said["runtimes"]
    assert all(runtime["state"] == "live" for runtime in said["runtimes"])
    assert get(port_of(one), "/") == "changed"
    assert "code: changed" in (folder / "flow.yaml").read_text()
    newest = json.loads(ran("history", "--server", api, "--json"))[0]
    assert newest["message"] == "try it"
    shown = ran("show", str(newest["revision"]), "--server", api)
    assert "try it" in shown
    back = heddle("rollback", "now~1", "--server", api, "--wait")
    assert back.exit_code == 0, back.output
    assert get(port_of(one), "/") == "pong"


def test_status_is_told_through_the_api(served: tuple[Started, str, Path]) -> None:
    _, api, _ = served
    status = heddle("status", "--server", api, "--json")
    assert status.exit_code == 0, status.output
    said = json.loads(status.stdout)
    assert {symbol["name"]: symbol["state"] for symbol in said["symbols"]} == {
        "listener": "active",
        "pong": "active",
    }


def test_sql_reaches_what_runs_beside_the_api(served: tuple[Started, str, Path]) -> None:
    _, api, _ = served
    ask = "SELECT event FROM events WHERE event = :event AND namespace = 'default'"
    found = ran("sql", ask, "-p", "event=runtime started", "--server", api, "--json")
    assert json.loads(found) == [{"event": "runtime started"}]
    wrong = heddle("sql", "SELECT nowhere FROM missing", "--server", api)
    assert wrong.exit_code == 1
    assert "no such table: missing" in wrong.output
    written = heddle("sql", "DELETE FROM specs", "--server", api)
    assert written.exit_code == 1
    assert "--write" not in ran("get", "specs", "--server", api)


def test_mistakes_are_rejected_before_anything_is_sent_or_written(
    served: tuple[Started, str, Path], tmp_path: Path
) -> None:
    _, api, folder = served
    before = (folder / "flow.yaml").read_text()
    file = tmp_path / "bad.yaml"
    file.write_text(FLOW.replace("language", "langauge"))
    rejected = heddle("apply", "all", "-f", file, "--server", api)
    assert rejected.exit_code == 1
    assert 'Did you mean "language"?' in rejected.output
    gone = heddle("delete", "specs", "pnog", "--server", api)
    assert gone.exit_code == 1
    assert "pnog" in gone.output
    assert (folder / "flow.yaml").read_text() == before


@pytest.mark.parametrize(
    ("args", "told", "code"),
    [
        (("--server", "127.0.0.1:7878"), "expected: http://HOST:PORT", 2),
        (("--server", "http://127.0.0.1:1"), "cannot be reached: connection refused\n", 1),
        (("--server", "http://127.0.0.1:1", "--store", "flows"), "not both", 2),
        (("--server", "http://127.0.0.1:1", "--token-file", "nowhere"), "nowhere", 1),
    ],
)
def test_a_mistake_is_one_clear_line(args: tuple[str, ...], told: str, code: int) -> None:
    result = heddle("get", "specs", *args)
    assert result.exit_code == code
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_stranger_is_told_how_to_come_in(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "flow.yaml").write_text(FLOW)
    made = ran("token", "new", "ci", "--role", "edit", "--store", tmp_path / "flows", "--json")
    token = json.loads(made)["token"]
    file = tmp_path / "token"
    file.write_text(token)
    with started("flows", "--system", "127.0.0.1:0", "--log-format", "json", cwd=tmp_path) as one:
        api = one.until("listening", lambda told: told["namespace"] == "system")["data"]["url"]
        stranger = heddle("get", "specs", "--server", api)
        assert stranger.exit_code == 1
        assert "--token-file" in stranger.output
        known = heddle("get", "specs", "--server", api, "--token-file", file)
        assert known.exit_code == 0, known.output
        assert token not in known.output
        by_variable = heddle("get", "specs", "--server", api, env={"HEDDLE_TOKEN": token})
        assert by_variable.exit_code == 0
        revealed = heddle("get", "values", "--reveal", "--server", api, "--token-file", file)
        assert revealed.exit_code == 1
        assert "admin" in revealed.output
