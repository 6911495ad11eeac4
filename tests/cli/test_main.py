"""The command line as a whole: help is quick, mistakes are clear, exit codes are what docs say."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from heddle.cli.main import COMMANDS, cli
from heddle.cli.views import reference
from tests.cli.support import heddle, ran

DOCS = Path(__file__).parents[2] / "docs"


def test_help_tells_every_command_as_the_command_does() -> None:
    shown = ran("--help")
    context = click.Context(cli)
    for name, text in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.short_help == text
        assert name in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples(name: str) -> None:
    assert "Examples:\n" in ran(name, "--help")


def test_help_imports_neither_the_runtime_nor_extensions() -> None:
    code = (
        "import sys\nfrom heddle.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    heavy = ("heddle.specs", "heddle.runtime", "heddle.extensions", "asyncio", "msgspec", "rich")
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_unknown_command_names_the_nearest_and_is_a_usage_error() -> None:
    result = heddle("chekc")
    assert result.exit_code == 2
    assert 'there is no command "chekc". Did you mean "check"?' in result.stderr


def test_a_defect_is_one_line_and_a_traceback_only_with_debug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_for_tests.py").write_text(
        "import click\n"
        "@click.command()\n"
        "def fail():\n"
        "    raise ZeroDivisionError('out of order')\n"
        "@click.command()\n"
        "def leave():\n"
        "    raise KeyboardInterrupt\n"
        "def register(extension):\n"
        "    extension.command('fail', fail)\n"
        "    extension.command('leave', leave)\n"
    )
    (tmp_path / "heddle.toml").write_text('extensions = ["failing_for_tests"]\n')
    result = heddle("fail")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ZeroDivisionError: out of order")
    assert result.stderr.count("\n") == 1
    for shown in (heddle("--debug", "fail"), heddle("fail", env={"HEDDLE_DEBUG": "1"})):
        assert "Traceback" in shown.stderr
        assert shown.exit_code == 1
    assert heddle("leave").exit_code == 130


def test_an_extension_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_for_tests.py").write_text("raise RuntimeError('out of order')\n")
    result = heddle("kinds", "-x", "broken_for_tests")
    assert result.exit_code == 1
    assert 'extension "broken_for_tests" cannot be loaded' in result.stderr
    assert "Traceback" in heddle("kinds", "-x", "broken_for_tests", "--debug").stderr


def test_an_extension_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = heddle("kinds", "-x", "no_such_module")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert 'extension "no_such_module" cannot be loaded' in result.stderr


def test_commands_of_extensions_run_and_stand_in_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greetings_for_tests.py").write_text(
        "import click\n"
        "@click.command()\n"
        "def hello():\n"
        "    '''Say hello.'''\n"
        "    click.echo('hello there')\n"
        "def register(extension):\n"
        "    extension.command('hello', hello)\n"
    )
    (tmp_path / "heddle.toml").write_text('extensions = ["greetings_for_tests"]\n')
    monkeypatch.chdir(tmp_path)
    assert ran("hello") == "hello there\n"
    assert "hello  Say hello." in ran("help")
    assert 'Did you mean "hello"?' in heddle("helo").stderr


def test_docs_tell_every_command_as_it_is() -> None:
    page = (DOCS / "commands.md").read_text()
    assert reference.refreshed(page) == page


def test_docs_of_settings_name_every_key_and_variable() -> None:
    from heddle.cli.settings import VARIABLES

    page = (DOCS / "settings.md").read_text()
    for variable, key in VARIABLES.items():
        assert f"`{variable}`" in page
        assert f"`{key}`" in page


def test_ctrl_c_while_program_is_still_loaded_ends_it_without_a_traceback() -> None:
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from heddle.cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_program_is_a_module_too() -> None:
    argv = [sys.executable, "-m", "heddle.cli", "version", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["version"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed_is_as_one_where_nobody_is(tmp_path: Path, closed: str) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text("{kind: nop, name: a}")
    where = "-" if closed == "<&-" else str(flow)
    line = f'"$0" -m heddle.cli get specs --from-nowhere {closed}'
    assert subprocess.run(["sh", "-c", line, sys.executable], capture_output=True).returncode == 2
    line = f'"$0" -m heddle.cli check "$1" {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable, where], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize("args", [["--help"], ["check", "--help"], ["version"]])
def test_an_output_that_is_full_is_one_line(args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "heddle.cli", *args],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output: no space left on device\n"
