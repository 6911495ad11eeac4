"""heddle system, and the API beside a runtime, alone, and where it must not be."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from heddle.cli.exit_codes import CommandError
from heddle.cli.system import address
from heddle.extensions.manage.system import texts
from tests.cli.support import PATIENCE, PING, Started, heddle, ran, ran_json, started


def ask(port: int, path: str, method: str = "GET", body: Any = None, token: str = "") -> Any:
    """Send one request to the API; return the data of its answer."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    asked = Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    with urlopen(asked, timeout=PATIENCE) as reply:
        return json.loads(reply.read() or b"null")


def status(port: int, path: str) -> int:
    """Return the status of one request."""
    try:
        ask(port, path)
    except HTTPError as error:
        error.close()
        return error.code
    return 200


def api_port(log: Started) -> int:
    """Return where the API listens, by the log."""
    while True:
        event = log.until("listening")
        if event["namespace"] == "system":
            return int(event["data"]["url"].rpartition(":")[2])


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Return a folder with the ping flow."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "ping.yaml").write_text(PING)
    return tmp_path / "flows"


def test_the_api_is_served_beside_a_runtime(flow: Path, tmp_path: Path) -> None:
    words = (flow, "-e", "PORT=0", "--system", "127.0.0.1:0")
    with started(*words, cwd=tmp_path) as log:
        port = api_port(log)
        assert ask(port, "/v1")["caller"] == "local"
        put = {"kind": "snippet", "language": "text", "code": "hello"}
        ask(port, "/v1/namespaces/default/specs/pong", "PUT", put)
        log.until("generation live", lambda told: told["reason"] == "changed pong")
        assert "code: hello" in (flow / "ping.yaml").read_text()
        token = ran("token", "new", "ada", "--role", "read", "--store", flow).strip()
        # Whoever has none is let in until the runtime has seen the token.
        while status(port, "/v1") != 401:
            pass
        assert ask(port, "/v1", token=token)["caller"] == "ada"
        assert log.stop() == 0
        assert log.errors() == ""


def test_the_api_runs_alone_and_manages_the_store(flow: Path, tmp_path: Path) -> None:
    (tmp_path / "heddle.toml").write_text('store = "flows"\n[system]\nlisten = "127.0.0.1:0"\n')
    with started("-n", "system", cwd=tmp_path) as log:
        port = api_port(log)
        names = [each["name"] for each in ask(port, "/v1/namespaces")["items"]]
        assert names == ["default", "system"]
        own = {"kind": "snippet", "language": "text", "code": "mine"}
        ask(port, "/v1/namespaces/system/specs/api.get", "PUT", own)
        log.until("generation live", lambda told: told["reason"] == "changed api.get")
        with urlopen(f"http://127.0.0.1:{port}/v1", timeout=PATIENCE) as reply:
            assert reply.read() == b"mine"
        assert (flow / "system.yaml").exists()
        assert log.stop() == 0


def test_it_is_not_served_where_others_can_reach_it_without_a_token(flow: Path) -> None:
    result = heddle("start", flow, "-e", "PORT=0", "--system", "0.0.0.0:0")
    assert result.exit_code == 1
    assert "0.0.0.0 can be reached by others, and there is no token" in result.output
    assert "Try: heddle token new NAME --role admin" in result.output


def test_what_is_no_address_is_told_before_anything_begins(flow: Path) -> None:
    result = heddle("start", flow, "-e", "PORT=0", "--system", "nonsense")
    assert result.exit_code == 1
    assert '"nonsense" is not an address (expected: HOST:PORT' in result.output
    assert "listening" not in result.output


def test_several_workers_do_not_serve_it(flow: Path) -> None:
    result = heddle("start", flow, "--workers", "2", "--system", "127.0.0.1:0")
    assert result.exit_code == 2
    assert "heddle start -n system" in result.output


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("example.com:80", ("example.com", 80)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "localhost", "a:b", "::1:80", "1.2.3.4:70000", ":-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(CommandError, match="is not an address"):
        address(text)


# --- the flows ------------------------------------------------------------------------------------


def test_the_flows_are_shown_as_they_are_written() -> None:
    shown = ran("system")
    assert "- kind: listener\n  namespace: system\n" in shown
    assert ran("system", "door").startswith("# The way in")
    files = {each["file"]: each["specs"] for each in ran_json("system")}
    assert {"door.yaml", "events.yaml", "operations.yaml", "routes.yaml", "sql.yaml"} == set(files)
    result = heddle("system", "dor")
    assert 'Did you mean "door"?' in result.output


def test_copies_are_checked_like_any_other_flow(tmp_path: Path) -> None:
    said = ran("system", "--eject", tmp_path / "system")
    assert [Path(line.split()[-1]).name for line in said.splitlines()] == list(texts())
    checked = heddle("check", tmp_path / "system", "-n", "system")
    assert checked.exit_code == 0, checked.output
    again = heddle("system", "--eject", tmp_path / "system")
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_the_description_is_printed_for_clients() -> None:
    document = json.loads(ran("schema", "--openapi"))
    assert document["openapi"] == "3.1.0"
    assert "/v1/namespaces/{namespace}/specs/{key}" in document["paths"]
    assert heddle("schema", "router", "--openapi").exit_code == 2


def test_a_taken_address_of_the_api_names_the_flag_to_change(
    tmp_path: Path,
) -> None:
    (tmp_path / "flow.yaml").write_text("{kind: nop, name: here}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with started("flow.yaml", "--system", where, cwd=tmp_path) as one:
            assert one.process.wait(60) == 1
            said = one.errors()
    assert said.startswith(f"error: --system {where}: cannot listen on {where}")
    assert len(said.splitlines()) == 1
