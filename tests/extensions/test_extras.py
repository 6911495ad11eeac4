"""What an extra brings is needed only by whoever uses it, and a Problem names the extra otherwise."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.fences import ROOT

HIDING = """
import importlib.machinery, sys

hidden = set(sys.argv.pop(1).split(","))
found = importlib.machinery.PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in hidden else found(name, path, target)

importlib.machinery.PathFinder.find_spec = find_spec
from heddle.cli.main import main
main()
"""
"""Runs `heddle` as it is where some packages are not installed."""

EXTRAS = [
    ("cron", "cronsim", "{kind: timer, name: it, cron: '* * * * *'}"),
    ("http", "aiohttp", "{kind: http, name: it, url: 'http://localhost'}"),
    ("http", "aiohttp", "{kind: proxy, name: it, backends: ['http://localhost']}"),
    ("internal", "apsw", "{kind: sql, name: it, driver: internal}"),
    (
        "javascript",
        "_quickjs,quickjs",
        "{kind: snippet, name: it, language: javascript, code: '1'}",
    ),
    (
        "javascript",
        "_quickjs,quickjs",
        "{kind: snippet, name: it, language: typescript, code: '1'}",
    ),
    (
        "javascript",
        "_quickjs,quickjs",
        "{kind: if, name: it, when: {language: javascript, code: '1'}}",
    ),
    ("jsonata", "_quickjs,quickjs", "{kind: snippet, name: it, language: jsonata, code: '1'}"),
    (
        "jwt",
        "jwt",
        "{kind: auth, name: it, jwt: {key: 0123456789abcdef0123456789abcdef, algorithms: [HS256]}}",
    ),
    (
        "postgres",
        "psycopg",
        "{kind: sql, name: it, driver: postgres, source: 'postgresql://localhost/x'}",
    ),
    ("postgres", "psycopg", "{kind: store, name: it, source: 'postgresql://localhost/x'}"),
    (
        "sqlalchemy",
        "sqlalchemy",
        "{kind: sql, name: it, driver: mysql, source: 'mysql+pymysql://localhost/x'}",
    ),
    ("websocket", "websockets", "{kind: websocket, name: it}"),
    ("websocket", "websockets", "{kind: websocket-client, name: it, url: 'ws://localhost'}"),
]


def test_every_extra_is_tried_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # What seals Values is no matter of a kind: tests/specs/secrets/test_keyring.py tries it.
    # `validation` makes a kind faster that works without it.
    others = {"all", "dev", "docs", "release", "secrets", "validation"}
    there = set(project["optional-dependencies"]) - others
    assert {extra for extra, _, _ in EXTRAS} == there


def test_the_extra_all_has_every_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (every,) = extras["all"]
    name, _, held = every.rstrip("]").partition("[")
    assert name == project["name"]
    assert set(held.split(",")) == set(extras) - {"all", "dev", "docs", "release"}


@pytest.mark.parametrize(("extra", "packages", "spec"), EXTRAS)
def test_a_missing_extra_is_a_problem_that_names_it(
    extra: str, packages: str, spec: str, tmp_path: Path
) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(f"- {spec}\n- {{kind: snippet, name: other, language: cel, code: '1 +'}}\n")
    done = heddle(packages, "check", str(flow), "--json")
    assert done.returncode == 1, done.stderr
    problems = {one["path"].partition(".")[0]: one for one in json.loads(done.stdout)["problems"]}
    assert problems["it"]["code"] == "missing-extra"
    assert problems["it"]["expected"] == f"the extra {extra}"
    assert problems["it"]["hint"] == f"pip install 'heddle-runtime[{extra}]'"
    # Everything else is looked at all the same.
    assert problems["other"]["code"] == "code"


def test_without_any_extra_heddle_runs() -> None:
    every = ",".join(packages for _, packages, _ in EXTRAS)
    done = heddle(every, "check", str(ROOT / "examples" / "ping.yaml"), "-e", "PORT=0")
    assert done.returncode == 0, done.stdout + done.stderr
    done = heddle(every, "kinds", "websocket")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("websocket:")


def test_eval_names_the_extra_too() -> None:
    done = heddle("_quickjs,quickjs", "eval", "-l", "javascript", "1 + 1")
    assert done.returncode == 1
    assert "pip install 'heddle-runtime[javascript]'" in done.stderr


def heddle(hidden: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `heddle` without these packages."""
    return subprocess.run(
        [sys.executable, "-c", HIDING, hidden, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
