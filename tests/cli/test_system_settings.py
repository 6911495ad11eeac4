"""The settings of the API."""

from pathlib import Path

import pytest

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import load_settings
from heddle.cli.system import serving


def test_they_say_how_it_is_served(tmp_path: Path) -> None:
    file = tmp_path / "heddle.toml"
    file.write_text(
        '[system]\nlisten = "[::1]:9000"\ncert = "cert.pem"\nkey = "/etc/key.pem"\n'
        'hosts = ["a.example"]\naudit = "audit.jsonl"\nrate = 7\nbody = 1000\n'
    )
    found = serving(load_settings(config=str(file), environ={}))
    assert (found.host, found.port) == ("::1", 9000)
    assert (found.cert, found.key) == (str(tmp_path / "cert.pem"), "/etc/key.pem")
    assert found.names == ("a.example",)
    assert found.audit == str(tmp_path / "audit.jsonl")
    assert (found.rate, found.body) == (7, 1000)


def test_a_flag_and_a_variable_win() -> None:
    environ = {"HEDDLE_SYSTEM_LISTEN": "127.0.0.1:1", "HEDDLE_SYSTEM_AUDIT": "log"}
    found = serving(load_settings(environ=environ))
    assert (found.port, found.audit) == (1, "log")
    flagged = serving(load_settings({"system": ":2"}, environ=environ))
    assert (flagged.host, flagged.port) == ("127.0.0.1", 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rate = 0", "system.rate: 0 (expected: how many requests a second)"),
        ('rate = "many"', "expected: how many requests a second"),
        ("listn = 1", 'Did you mean "listen"?'),
        ('hosts = "a"', "expected: a list of the names it may be called"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "heddle.toml"
    file.write_text(f"[system]\n{line}\n")
    with pytest.raises(CommandError) as told:
        load_settings(config=str(file), environ={})
    assert f"{file}:2" in str(told.value)
    assert said in str(told.value)
