"""heddle eval: code in any language on a payload, with its result, its mistakes and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import heddle, ran

EVERY = {
    "cel": "self.a + 1",
    "javascript": "payload.a + 1",
    "typescript": "(payload.a as number) + 1",
    "jsonata": "a + 1",
    "jinja": "{{ a + 1 }}",
    "python": "payload['a'] + 1",
    "json": "2",
}


@pytest.mark.parametrize("language", EVERY)
def test_code_in_any_language_is_tried_on_a_payload(language: str) -> None:
    assert ran("eval", "-l", language, EVERY[language], "--payload", '{"a": 1}') == "2\n"


def test_the_language_is_the_one_of_the_settings_or_cel() -> None:
    assert ran("eval", "self + 1", "-p", "1") == "2\n"
    env = {"HEDDLE_LANGUAGE": "javascript"}
    assert heddle("eval", "payload ?? 'none'", env=env).stdout == "none\n"


def test_text_is_shown_as_it_is_and_data_as_json() -> None:
    assert ran("eval", "'é'") == "é\n"
    assert json.loads(ran("eval", "{'a': [1, null]}")) == {"a": [1, None]}
    assert heddle("eval", "b'\\xff\\x00'").stdout_bytes == b"\xff\x00"


def test_code_and_payload_come_from_files_and_standard_input(tmp_path: Path) -> None:
    code, order, other = (tmp_path / name for name in ("total.js", "order.json", "order.yaml"))
    code.write_text("export default (p) => p.n * 2\n")
    order.write_text('{"n": 4}')
    other.write_text("n: 5\n")
    assert ran("eval", "-l", "javascript", f"@{code}", "-p", f"@{order}") == "8\n"
    assert ran("eval", "-l", "javascript", f"@{code}", "-p", f"@{other}") == "10\n"
    assert ran("eval", "n + 1", "-p", "-", stdin='{"n": 1}') == "2\n"
    assert ran("eval", "-", "-p", '{"n": 1}', stdin="n + 2") == "3\n"


def test_a_condition_answers_with_its_exit_code_too() -> None:
    yes, no = (heddle("eval", "--condition", "a > 3", "-p", f'{{"a": {n}}}') for n in (4, 1))
    assert (yes.stdout, yes.exit_code) == ("true\n", 0)
    assert (no.stdout, no.exit_code) == ("false\n", 1)


def test_a_mistake_is_shown_at_its_place() -> None:
    result = heddle("eval", "-l", "javascript", "const a = 1;\nlet b = ;")
    assert result.exit_code == 1
    assert "code:2:9" in result.stderr
    assert "2 | let b = ;" in result.stderr
    assert "|         ^" in result.stderr


def test_a_failure_tells_its_line() -> None:
    result = heddle("eval", "-l", "javascript", "(p) => {\n  return p.a.b;\n}", "-p", "{}")
    assert result.exit_code == 1
    assert "line 2: TypeError" in result.stderr
    assert result.stdout == ""


def test_what_code_prints_goes_to_standard_error() -> None:
    result = heddle("eval", "-l", "javascript", "console.log('hi') || 3")
    assert (result.stdout, result.stderr) == ("3\n", "hi\n")


def told(*args: str) -> tuple[int, Any]:
    result = heddle("eval", "--json", *args)
    return result.exit_code, json.loads(result.stdout)


def test_json_tells_everything_to_programs() -> None:
    assert told("-l", "javascript", "console.log('hi') || 3") == (
        0,
        {
            "ok": True,
            "language": "javascript",
            "printed": [{"level": "info", "text": "hi"}],
            "value": 3,
        },
    )
    code, said = told("a +")
    assert code == 1
    assert said["error"]["stage"] == "compile"
    assert (said["error"]["line"], said["error"]["column"]) == (1, 4)
    code, said = told("-l", "javascript", "\npayload.x")
    assert code == 1
    assert (said["error"]["stage"], said["error"]["line"]) == ("run", 2)
    code, said = told(
        "-l", "javascript", "(() => { throw { message: 'no', code: 'sold', data: 1 } })()"
    )
    assert said["error"] == {"stage": "run", "message": "no", "code": "sold", "data": 1}


@pytest.mark.parametrize("isolation", [[], ["--isolation", "process"]])
def test_a_runaway_is_stopped(isolation: list[str]) -> None:
    code, said = told(
        "-l", "javascript", "(() => { for (;;); })()", "--timeout", "300ms", *isolation
    )
    assert code == 1
    assert said["error"]["code"] == "timeout"
    assert "longer than 300ms" in said["error"]["message"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-l", "javscript", "1"], 'Did you mean "javascript"?'),
        (["x", "-p", '{"a'], "payload:1:"),
        (["x", "--timeout", "soon"], "--timeout: found the text"),
        (["@no-such-file"], "no-such-file: no such file"),
        (["-", "-p", "-"], "cannot both come from standard input"),
        (["-l", "python", "payload", "--timeout", "1s"], "Add isolation: process"),
    ],
    ids=lambda value: str(value),
)
def test_what_cannot_be_done_says_why(args: list[str], said: str) -> None:
    result = heddle("eval", *args)
    assert result.exit_code == 1
    assert said in result.stderr
