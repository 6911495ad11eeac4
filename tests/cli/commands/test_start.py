"""heddle start: it runs, follows changes, explains what is wrong, and stops in order."""

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import PATIENCE, PING, get, started

SLOW = PING.replace(
    "- kind: snippet\n  name: pong\n",
    "- kind: sleep\n  name: pong\n  interval: 2s\n  ports: {out: {name: last}}\n"
    "- kind: snippet\n  name: last\n",
)


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Return a file with the ping flow."""
    file = tmp_path / "flow.yaml"
    file.write_text(PING)
    return file


def in_flight(port: int) -> http.client.HTTPConnection:
    """Return a connection with a request that the runtime has, and has not answered."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request("GET", "/ping")
    # One that came later and is answered at once: the first one is in by then.
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    probe.request("GET", "/none")
    assert probe.getresponse().status == 404
    probe.close()
    return client


def test_it_serves_follows_an_edit_and_stops_with_0(flow: Path, tmp_path: Path) -> None:
    with started(flow, "-e", "PORT=0", cwd=tmp_path) as heddle:
        port = heddle.port()
        assert get(port) == "pong"
        flow.write_text(PING.replace("code: pong", "code: PONG"))
        assert heddle.until("generation live")["generation"] == 2
        assert get(port) == "PONG"
        assert heddle.stop() == 0
        assert heddle.errors() == ""


def test_people_are_told_what_to_curl(flow: Path, tmp_path: Path) -> None:
    with started(flow, "-e", "PORT=0", "--log-format", "text", cwd=tmp_path) as heddle:
        lines: list[str] = []
        while "runtime started" not in "".join(lines):
            lines.append(heddle.line())
        tries = [line for line in lines if line.startswith("try: ")]
        assert len(tries) == 1
        url = tries[0].split()[-1]
        assert url.endswith("/ping")
        assert get(int(url.split(":")[2].partition("/")[0])) == "pong"
        assert heddle.stop(signal.SIGINT) == 0


def test_a_request_in_flight_is_answered_before_it_ends(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(SLOW)
    with started("flow.yaml", "-e", "PORT=0", cwd=tmp_path) as heddle:
        client = in_flight(heddle.port())
        heddle.process.send_signal(signal.SIGTERM)
        stopping = heddle.until("runtime stopping")
        assert (stopping["reason"], stopping["data"]["processes"]) == ("SIGTERM", 1)
        response = client.getresponse()
        assert (response.status, response.read()) == (200, b"pong")
        client.close()
        heddle.until("runtime stopped")
        assert heddle.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(SLOW.replace("2s", "10m"))
    with started("flow.yaml", "-e", "PORT=0", cwd=tmp_path) as heddle:
        client = in_flight(heddle.port())
        heddle.process.send_signal(signal.SIGTERM)
        heddle.until("runtime stopping")
        assert heddle.stop(signal.SIGINT) == 130
        client.close()


def test_what_outlasts_the_drain_time_is_cut(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(SLOW.replace("2s", "10m"))
    with started("flow.yaml", "-e", "PORT=0", "--drain", "0.1", cwd=tmp_path) as heddle:
        client = in_flight(heddle.port())
        heddle.process.send_signal(signal.SIGTERM)
        assert heddle.until("process cut")["symbol"] == "listener"
        heddle.until("runtime stopped")
        assert heddle.process.wait(PATIENCE) == 0
        client.close()


def test_a_broken_edit_is_explained_and_what_ran_goes_on(flow: Path, tmp_path: Path) -> None:
    with started(flow, "-e", "PORT=0", cwd=tmp_path) as heddle:
        port = heddle.port()
        flow.write_text(PING.replace("{name: pong, port: in}", "{name: pong, port: inn}"))
        rejected = heddle.until("change rejected")
        assert [one["code"] for one in rejected["problems"]] == ["unknown-port"]
        assert get(port) == "pong"
        flow.write_text(PING.replace("code: pong", "code: mended"))
        heddle.until("generation live")
        assert get(port) == "mended"


def test_broken_at_start_is_told_and_runs_once_mended(flow: Path, tmp_path: Path) -> None:
    flow.write_text("- kind: listener\n  port: [\n")
    with started(flow, "-e", "PORT=0", cwd=tmp_path) as heddle:
        left_out = heddle.until("specs left out")
        assert left_out["problems"][0]["code"] == "syntax"
        told = heddle.until("runtime started")
        assert told["data"]["active"] == 0
        flow.write_text(PING)
        url = heddle.until("listening")["data"]["url"]
        heddle.until("generation live")
        assert get(int(url.rpartition(":")[2])) == "pong"


def test_a_missing_name_is_told_with_the_flag_to_give(flow: Path, tmp_path: Path) -> None:
    with started(flow, cwd=tmp_path) as heddle:
        problem = heddle.until("specs left out")["problems"][0]
        assert problem["line"] == 5
        assert "Give it with -e PORT=…" in problem["hint"]
        assert heddle.until("runtime started")["data"] == {
            "store": f"file://{flow}",
            "active": 2,
            "rejected": 1,
        }


def test_files_go_into_memory_and_settings_give_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "specs.yaml").write_text(PING.replace("{data: '{{ .PORT }}'}", "{name: port}"))
    (tmp_path / "values.json").write_text('[{"name": "port", "data": 0}]')
    (folder / "heddle.toml").write_text('[log]\nformat = "json"\n')
    args = ("--from-specs", "../specs.yaml", "--from-values", "../values.json")
    with started(*args, cwd=folder) as heddle:
        assert get(heddle.port()) == "pong"
        assert heddle.stop() == 0
    assert [each.name for each in folder.iterdir()] == ["heddle.toml"]


def test_what_cannot_be_read_of_the_files_is_told_and_rest_runs(tmp_path: Path) -> None:
    (tmp_path / "specs.yaml").write_text(PING + "- name: half\n")
    with started("--from-specs", "specs.yaml", "-e", "PORT=0", cwd=tmp_path) as heddle:
        rejected = heddle.until("documents rejected")
        assert [one["code"] for one in rejected["problems"]] == ["shape"]
        assert get(heddle.port()) == "pong"


def test_files_go_into_the_store_that_is_given(flow: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    args = ("--store", "store", "--from-specs", "flow.yaml", "-e", "PORT=0")
    with started(*args, cwd=tmp_path) as heddle:
        assert get(heddle.port()) == "pong"
    assert "code: pong" in (store / "default.yaml").read_text()


def test_a_port_in_use_is_one_line_and_1(flow: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(flow, "-e", f"PORT={port}", cwd=tmp_path) as heddle:
            assert heddle.process.wait(PATIENCE) == 1
            said = heddle.errors()
    assert said.count("\n") == 1
    assert f"{flow}:1:3 listener: cannot begin" in said
    assert f"127.0.0.1:{port}" in said
    assert "try another port" in said


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("flwo.yaml",), 1, "flwo.yaml: there is no such file or folder"),
        (("flwo.yaml",), 1, 'Did you mean "flow.yaml"?'),
        (("redis://here",), 1, 'no store knows the address scheme "redis"'),
        (("flow.yaml", "-x", "none_such"), 1, 'extension "none_such" cannot be loaded'),
        (("flow.yaml", "--config", "none.toml"), 1, "none.toml: the settings cannot be read"),
        (("--from-specs", "wrong.yaml"), 1, "nothing runs: every spec has a problem"),
        (("--from-specs", "empty.yaml"), 1, "nothing runs: no specs were given"),
        (("flow.yaml", "--store", "flow.yaml"), 2, "give PATH or --store, not both"),
        (("flow.yaml", "--server", "http://127.0.0.1:1"), 2, "give PATH or --server, not both"),
        (("flow.yaml", "-e", "PORT"), 2, '"PORT" is not a NAME=VALUE'),
        (("flow.yaml", "-e", "a b=1"), 2, 'the name "a b" cannot be a blank'),
        (("flow.yaml", "-n", "a b"), 2, '"a b" is not a namespace'),
    ],
)
def test_what_cannot_begin_is_one_clear_line(
    flow: Path, tmp_path: Path, args: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "wrong.yaml").write_text("- kind: nopp\n")
    (tmp_path / "empty.yaml").write_text("")
    with started(*args, cwd=tmp_path) as heddle:
        assert heddle.process.wait(PATIENCE) == code
        said = heddle.errors()
    assert told in said
    assert "Traceback" not in said
    assert code == 2 or said.count("\n") == 1


def test_a_broken_edit_tells_what_is_wrong_with_the_rest_too(flow: Path, tmp_path: Path) -> None:
    with started(flow, "-e", "PORT=0", cwd=tmp_path) as heddle:
        port = heddle.port()
        broken = PING.replace("code: pong", "cod: pong\n  annotations: 3")
        flow.write_text(broken + "- {kind: nope, name: new}\n")
        rejected = heddle.until("change rejected")
        assert {(one["code"], one["path"]) for one in rejected["problems"]} >= {
            ("type", "pong.annotations"),
            ("unknown-field", "pong.cod"),
            ("unknown-kind", "new.kind"),
        }
        assert get(port) == "pong"
        flow.write_text(PING.replace("code: pong", "code: mended"))
        heddle.until("generation live")
        assert get(port) == "mended"


def test_what_is_broken_at_start_is_told_wholly_at_once(flow: Path, tmp_path: Path) -> None:
    flow.write_text("- {kind: nop, name: a, annotations: 3, foo: 1}\n- {kind: nope, name: b}\n")
    with started(flow, cwd=tmp_path) as heddle:
        left_out = heddle.until("specs left out")
        assert [(one["code"], one["path"]) for one in left_out["problems"]] == [
            ("type", "a.annotations"),
            ("unknown-field", "a.foo"),
            ("unknown-kind", "b.kind"),
        ]


def test_a_start_that_finds_only_other_namespaces_names_them(flow: Path, tmp_path: Path) -> None:
    with started(flow, "-n", "other", cwd=tmp_path) as heddle:
        told = heddle.until("runtime started")
        assert told["data"]["active"] == 0
        assert "the store holds the namespace default" in told["reason"]


def test_a_dash_starts_the_specs_on_standard_input() -> None:
    code = "from heddle.cli.__main__ import main; main()"
    command = [sys.executable, "-c", code, "start", "-", "--log-format", "json"]
    broken = subprocess.run(
        command, input="- {kind: nopp, name: a}\n", capture_output=True, text=True, timeout=PATIENCE
    )
    assert broken.returncode == 1
    assert '"file":"<stdin>"' in broken.stdout
    assert "nothing runs: every spec has a problem" in broken.stderr
