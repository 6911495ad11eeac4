"""Every block of the docs is what it says it is: flows run, Python runs, commands exist."""

import ast
import contextlib
import inspect
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner

from heddle.cli.main import cli
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text
from tests.docs.fences import ROOT, Fence, every, fences, pages

FLOWS = [one for one in every("yaml") if not {"fragment", "problem"} & set(one.words)]
MISTAKES = [one for one in every("yaml") if "problem" in one.words]
SHELL = every("console", "sh", "bash")
SPOKEN = [page for page in pages() if any(one.language == "python" for one in fences(page))]
RUN = [page for page in pages() if any("run" in one.words for one in fences(page))]


def named(one: Fence | Path) -> str:
    """Return what a test of it is called."""
    return one.place if isinstance(one, Fence) else one.name


def flow(one: Fence) -> tuple[str, Runtime]:
    """Return what is wrong with a flow as it was written, and a runtime of it on free ports."""
    text = re.sub(r"\bport: 8\d\d\d\b", "port: 0", one.code)
    reading = read_text(text, file=one.file or "flow.yaml")
    store = MemoryStore([*reading.specs, *reading.values])
    wrong = "\n".join(str(problem) for problem in reading.problems)
    return wrong, Runtime(store=store, environment={"PORT": 0})


@pytest.mark.anyio
@pytest.mark.parametrize("one", FLOWS, ids=named)
async def test_a_flow_runs_as_it_stands(one: Fence) -> None:
    wrong, rt = flow(one)
    assert not wrong
    async with rt:
        status = rt.status()
        assert not [str(problem) for problem in status.problems]
        assert not [symbol for symbol in status.symbols if symbol.state != "active"]


@pytest.mark.anyio
@pytest.mark.parametrize("one", MISTAKES, ids=named)
async def test_a_mistake_is_told_as_the_page_says(one: Fence) -> None:
    below = next(each for each in fences(one.page) if each.line > one.line)
    if "run" in below.words:
        return  # The command below it tells the mistake, and is run.
    wrong, rt = flow(one)
    async with rt:
        told = [wrong, *(str(problem) for problem in rt.status().problems)]
    assert "\n".join(filter(None, told)) == below.code.strip()


@pytest.mark.parametrize("page", SPOKEN, ids=named)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    printed = ""
    with settled(page, tmp_path, monkeypatch):
        for one in fences(page):
            if one.language == "python" and "fragment" not in one.words:
                printed = ran(one, module)
            elif one.language == "output":
                assert printed == one.code, one.place


def ran(one: Fence, module: ModuleType) -> str:
    """Return what a block prints; it may await at its top, as at the prompt of `python -m asyncio`."""
    code = compile(
        "\n" * one.line + one.code, one.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True
    )
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if code.co_flags & inspect.CO_COROUTINE:
            anyio.run(awaited, code, module.__dict__)
        else:
            exec(code, module.__dict__)  # noqa: S102 - our own docs
    return out.getvalue()


async def awaited(code: Any, names: dict[str, Any]) -> None:
    """Run a block that awaits, and does so in good time."""
    with anyio.fail_after(30):
        await eval(code, names)


@pytest.mark.parametrize("one", SHELL, ids=named)
def test_a_command_of_the_docs_exists_and_has_these_flags(one: Fence) -> None:
    assert not [wrong for words in commands(one) if (wrong := unknown(words))]


def commands(one: Fence) -> list[list[str]]:
    """Return the words behind each `heddle` of a block; in a console block only lines with a prompt count."""
    lines = one.code.splitlines()
    if one.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [words for line in lines for words in _piped(line) if words]


def _piped(line: str) -> Iterator[list[str]]:
    """Yield the words behind each `heddle` of a line: signs inside of quotes are words, too."""
    if "heddle " not in line:
        return
    reader = shlex.shlex(line, posix=True, punctuation_chars="|;><&")
    # An address such as postgresql://db is one word.
    reader.whitespace_split = True
    part: list[str] = []
    for word in (*reader, ";"):
        if set(word) <= set("|;><&"):
            if part[:1] == ["heddle"]:
                yield part[1:]
            part = []
        else:
            part.append(word)


def unknown(words: list[str]) -> str:
    """Return what heddle does not know of these words; empty if it knows all."""
    flags = {flag for option in cli.params for flag in option.opts} | {"--help", "-h"}
    if words and words[0].startswith("-"):
        return "" if words[0] in flags else words[0]
    command: click.Command | None = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words[0])
        words = words[1:] if command is not None else words
    if command is None:
        return " ".join(words)
    flags |= {flag for option in command.params for flag in option.opts}
    given = [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]
    return ", ".join(flag for flag in given if flag not in flags)


@pytest.mark.parametrize("page", RUN, ids=named)
def test_a_command_prints_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with settled(page, tmp_path, monkeypatch):
        for one in fences(page):
            if "run" in one.words:
                [words] = commands(one)
                shown = one.code.partition("\n")[2]
                result = CliRunner().invoke(cli, words, prog_name="heddle")
                assert result.output.strip() == shown.strip(), one.place


@contextlib.contextmanager
def settled(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder that has the files of the page, and a folder `flows` with a flow in it."""
    texts = {"flows/ping.yaml": (ROOT / "examples" / "ping.yaml").read_text()}
    texts |= {one.file: one.code for one in fences(page) if one.file}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in os.environ if name.startswith("HEDDLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    before = set(sys.modules)
    try:
        yield
    finally:
        # The next page may have a module of the same name.
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
