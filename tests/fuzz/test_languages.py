"""Readers of code: CEL, constants, Jinja, JavaScript, JSONata, Python, cron, settings."""

import contextlib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import load_settings
from heddle.extensions.languages.cel.compiler import compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.time.schedule import Cron
from heddle.runtime.assembly.extension import registry
from heddle.runtime.assembly.language import CompileError, Options
from heddle.runtime.flow.errors import NodeError
from heddle.schemas.field import FieldError
from heddle.schemas.units import Duration, Size
from tests.fuzz.mutation import fuzz, mutated

LANGUAGES = registry([]).scheme.languages
PAYLOAD: dict[str, Any] = {"a": 1, "b": "x", "l": [1, "a", None], "m": {"k": 1.5, "a": True}}

CEL = [
    'm.k > 1.0 && b.startsWith("x") ? l.map(x, string(x)).join("-") : "no"',
    "l.filter(x, type(x) == int).exists(x, x in [1, 2u, 3.0])",
    'timestamp("2024-01-01T00:00:00Z").getFullYear("Europe/Berlin") + int(duration("1h").getHours())',
    'b.matches("^a+[b-z]*(c|d){2,3}$") || size(b) == 1',
    '"%s %d %.2f %x %e".format([b, a, m.k, a, m.k])',
    "math.greatest(1, a) + lists.range(3).reverse()[0] + [3, 1].sort()[0]",
    "{'a': [1, {2: 'b'}], 'c': b'x\\x00', 'd': r'\\d'}.transformMap(k, v, v).a[1][2].substring(0, 1)",
    "base64.encode(bytes(b)).replace('=', '').split('').distinct().flatten()",
]


def run(language: str, text: str) -> None:
    """Compile and run a text: only the documented errors may come of it."""
    with contextlib.suppress(CompileError, EvaluationError, ProgramError, NodeError):
        LANGUAGES.get(language).program(text, Options())(PAYLOAD)


@fuzz
@given(mutated(CEL))
def test_cel_compiles_and_runs_or_says_why(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(CompileError, EvaluationError):
        compile_program(text)(PAYLOAD)


YAML = [
    "a: &x [1, 2.5, ~, 2024-01-01, 12:30:00]\nb: *x\n<<: {c: !!binary aGk=}\n? {d: 1}\n: e\n",
    "%YAML 1.1\n---\n- yes\n- 0o17\n- !!set {a, b}\n- !!omap [a: 1]\n- !!timestamp 2024-13-45\n",
    "|2-\n  text\n",
    "a: 1\n%YAML 1.2\n",
    "--- !!float 1e400\n...\n",
]


@fuzz
@given(mutated(YAML))
def test_yaml_constants_are_read_or_say_why(text: str) -> None:
    run("yaml", text)


@fuzz
@given(
    mutated(['{"a": [1, 2.5e3, null, true, "\\u00e9\\ud83d\\ude00"]}', "[[[]]]", '"x"', "1" * 20])
)
def test_json_constants_are_read_or_say_why(text: str) -> None:
    run("json", text)


CALM = [
    "Hello {{ b|upper }}, {{ a + 1 }} {{ m.k * 1.19 }} {{ l[0] }}",
    "{% if a is defined and not b %}{{ m|tojson }}{% elif b in l %}{{ l|join(', ') }}{% endif %}",
    "{{ l|default('-') }} {{ m['k'] if a else {'f': [1]} }}",
]


@fuzz
@given(mutated(CALM))
def test_templates_compile_or_say_why(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    pytest.importorskip("minijinja")
    from heddle.extensions.languages.jinja.output_bound import calm
    from heddle.extensions.languages.jinja.template import TemplateProgram

    with contextlib.suppress(CompileError, ProgramError):
        program = TemplateProgram(text, False)
        if calm(program.parts):
            program(PAYLOAD)


@fuzz
@given(
    mutated(
        [
            "payload.l.map(x => x + 1)",
            "function main(p) { return {...p, b: `${p.a}`} }",
            "/a+/.test('a')",
        ]
    )
)
def test_javascript_compiles_and_runs_or_says_why(text: str) -> None:
    pytest.importorskip("_quickjs")
    run("javascript", text)


@fuzz
@given(
    mutated(
        ["$sum(l[type='x'].n) & b", "{ 'a': m.k ~> $round(1), 'b': $map(l, function($x) { $x }) }"]
    )
)
def test_jsonata_compiles_and_runs_or_says_why(text: str) -> None:
    pytest.importorskip("_quickjs")
    run("jsonata", text)


@fuzz
@given(
    mutated(
        [
            "payload['a'] + 1",
            "def main(payload):\n    return {'a': [x for x in payload['l']]}\n",
            "f'{payload}'",
        ]
    )
)
def test_python_compiles_or_says_why(text: str) -> None:
    with contextlib.suppress(CompileError):
        LANGUAGES.get("python").program(text, Options())


@fuzz
@given(
    mutated(["*/5 0-12 1,15 * MON-FRI", "@daily", "0 0 31 2 *", "0 0 0 L * 5#2", "30 1 * * * *"])
)
def test_cron_expressions_are_read_or_rejected(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    try:
        schedule = Cron(text, ZoneInfo("Europe/Berlin"))
    except ValueError:
        return
    schedule.after(1_700_000_000.0)


@fuzz
@given(mutated(["1h30m", "500ms", "2.5s", "10MiB", "1_000", "64 kB", "P1D"]))
def test_durations_and_sizes_are_read_or_rejected(text: str) -> None:
    for kind in (Duration, Size):
        with contextlib.suppress(FieldError):
            kind.read(text)


TOML = [
    'store = "flows"\nnamespace = "shop"\nlanguage = "cel"\n[log]\nformat = "json"\n[system]\nlisten = ":7878"\n',
    '[environment]\nPORT = 8000\nWHEN = 2024-01-01T00:00:00Z\n[namespaces.shop]\nstore = "a"\nworkers = 2\n',
    'drain = "30s"\nextensions = ["a.b", \'c\']\nkey_command = "cat \\"x\\""\n',
]


def test_settings_are_read_or_rejected(tmp_path: Path) -> None:
    file = tmp_path / "heddle.toml"

    @fuzz
    @given(mutated(TOML))
    def read(text: str) -> None:
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(CommandError):
            load_settings(config=str(file), environ={})

    read()


VALUES = ["1", "300", "shop", "1h", "json", "0.0.0.0:80", "/a/b", "[1]"]


@fuzz
@given(mutated(VALUES), mutated(["HEDDLE_STORE", "HEDDLE_DRAIN", "HEDDLE_WORKERS", "HEDDLE_ENV_A"]))
def test_variables_are_read_or_rejected(text: str, name: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(CommandError):
        load_settings(config=None, environ={name: text, "HEDDLE_CONFIG": ""})
