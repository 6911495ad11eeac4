"""A check names what runs but is rarely meant: dead routes, blanks without env, words of others."""

from pathlib import Path

import pytest

from tests.cli.support import heddle, ran, ran_json

ROUTER = """\
- kind: router
  name: r
  routes:
    - {method: GET, path: /a, port: 'out[0]'}
    - {method: GET, path: /b, port: 'out[1]'}
  ports:
    out[0]: {name: t}
- {kind: nop, name: t}
"""
BLOCK = """\
- kind: block
  name: b
  specs:
    - kind: router
      name: r
      routes: [{method: GET, path: /a, port: 'out[0]'}]
  inbounds: {in: [{name: r, port: in}]}
  outbounds: {out: [{name: r, port: 'out[0]'}]}
"""


def test_a_route_to_a_port_without_link_is_a_problem() -> None:
    (problem,) = ran_json("check", "-", stdin=ROUTER)["problems"]
    assert problem["code"] == "dead-route"
    assert (problem["line"], problem["path"]) == (5, "r.routes[1].port")
    assert 'the out port "out[1]" has no link' in problem["found"]


def test_a_route_to_no_out_port_is_one_problem() -> None:
    problems = ran_json("check", "-", stdin=ROUTER.replace("'out[1]'", "error"))["problems"]
    assert [problem["code"] for problem in problems] == ["unknown-port"]


@pytest.mark.parametrize(
    "fields",
    [
        "kind: http, url: 'http://{{ .HOST }}/x'",
        "kind: timer, cron: '{{ .HOST }}'",
        "kind: timer, interval: '{{ .HOST }}'",
        "kind: if, when: '{{ .HOST }} > 1'",
        "kind: snippet, language: jinja, code: '{{ name }} {{ .HOST }}'",
    ],
)
def test_a_blank_that_makes_a_field_wrong_is_explained(fields: str) -> None:
    hints = [each["hint"] for each in ran_json("check", "-", stdin=f"{{{fields}}}")["problems"]]
    assert "Blanks are filled if an env has their names: HOST: {data: '{{ .HOST }}'}." in hints


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("kind: snippet\ncode: x\n ports:\n  out: b\n", "Look at the indentation"),
        ("kind: snippet\ncode: some text\n  more: x\n", "Look at the indentation"),
        ("kind: snippet\ncode: x: y\n", 'Put text that holds ": " in quotes'),
        ("{kind: a, port: out[0], ports: {out[0]: b}}", "Put text with brackets in quotes"),
        ("{kind: a, ports: {out[0]: b}}", "in quotes between braces: 'out[0]'"),
    ],
)
def test_a_hint_on_syntax_names_what_is_wrong(text: str, hint: str) -> None:
    (problem,) = ran_json("check", "-", stdin=text)["problems"]
    assert hint in problem["hint"]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1, 2", 1, 9),
        ('kind: snippet\ncode: "abc\n', 2, 11),
        ("kind: snippet\nports: {out: [b\n\n\n", 2, 16),
    ],
)
def test_what_is_missing_at_the_end_is_shown_at_the_last_line(
    text: str, line: int, column: int
) -> None:
    (problem,) = ran_json("check", "-", stdin=text)["problems"]
    assert (problem["line"], problem["column"]) == (line, column)


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ("kind: log, text: x", 'Did you mean "message"?'),
        ("kind: proxy, to: 'http://x'", 'Did you mean "backends" or "ports"?'),
        ("kind: proxy, upstream: 'http://x'", 'Did you mean "backends"?'),
        ("kind: snippet, language: cel, code: json.encode(1)", "Write base64.encode or hex.encode"),
        ("kind: snippet, language: cel, code: stringify(1)", 'Did you mean "json"?'),
    ],
)
def test_a_hint_names_another_word_than_the_wrong_one(fields: str, hint: str) -> None:
    hints = [each.get("hint") for each in ran_json("check", "-", stdin=f"{{{fields}}}")["problems"]]
    assert any(str(each).startswith(hint) for each in hints), hints


@pytest.mark.parametrize(
    "text",
    [
        ROUTER.replace("out[0]: {name: t}", "out[0]: {name: t}\n    out[1]: {name: t}"),
        ROUTER.replace("'out[1]'", "'out[0]'"),
        BLOCK,
    ],
)
def test_routes_that_lead_on_are_no_problems(text: str) -> None:
    assert ran_json("check", "-", stdin=text)["problems"] == []


@pytest.mark.parametrize(
    "fields",
    [
        'kind: snippet, language: text, code: "hi {{ .NAME }}"',
        'kind: snippet, language: json, code: \'{"a": "{{ .NAME | upper }}"}\'',
        "kind: snippet, language: yaml, code: \"a: ['{{ .NAME.first }}']\"",
    ],
)
def test_a_blank_without_env_is_a_hint(fields: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"- {{name: a, {fields}}}\n")
    shown = ran("check", file)
    assert "hint[unfilled-blank]" in shown
    assert "env: {NAME: {data: '{{ .NAME }}'}}" in shown
    assert "1 hint: 1 spec" in shown
    assert ran_json("check", file)["ok"] is True


@pytest.mark.parametrize(
    "fields",
    [
        'language: jinja, code: "hi {{ NAME }} {{ name }}"',
        'language: text, code: "hi {{ NAME }} {{ user.name }} {{#if x}}"',
        'language: text, code: "hi {% raw %}{{ .NAME }}{% endraw %}"',
        'language: javascript, code: "`{{ .NAME }}`"',
        'language: text, code: "{{ .X }}", env: {X: {data: 1}}',
    ],
)
def test_braces_of_templates_are_no_blanks(fields: str) -> None:
    assert ran_json("check", "-", stdin=f"- {{kind: snippet, {fields}}}")["problems"] == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- {kind: nop, ports: {init: {name: a, port: out[0]}}}", "'out[0]'"),
        ("- {kind: switch, default: out[0], matches: []}", "'out[0]'"),
        ("- {kind: a, x: [b[0], c]}", "'b[0]'"),
        ("- {kind: debug}", 'Did you mean "print" or "log"?'),
        ("- {kind: snippet, language: js, code: a}", 'Did you mean "javascript"?'),
        ("- {kind: snippet, language: cel, code: len(self)}", 'Did you mean "size"?'),
        ("- {kind: timer, interval: 1s, timezone: Europe/Seoul}", 'Did you mean "Asia/Seoul"?'),
        (
            "- kind: router\n  routes:\n    - {method: GET, path: /, port: out, ports: {}}",
            "indent it like kind",
        ),
        ("- {kind: sql, source: 'mysql://a@b/c', statement: x}", "mysql+pymysql://"),
        ("- {kind: sql, source: 'oracle://a@b/c', statement: x}", "pip install oracledb"),
        ("- {kind: sql, source: 'snowflake://a@b/c', statement: x}", "snowflake-sqlalchemy"),
        ("- {kind: sql, source: 'postgresql+asyncpg://b/c', statement: x}", "postgresql://…"),
        ("- {kind: sql, driver: mysql, source: 'tcp(a)', statement: x}", "pip install pymysql"),
    ],
)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    problems = ran_json("check", "-", stdin=text)["problems"]
    assert any(hint in problem.get("hint", "") for problem in problems), problems


@pytest.mark.parametrize("language", ["javascript", "typescript"])
@pytest.mark.parametrize("style", ["|", "|-"])
def test_a_syntax_error_shows_its_line_in_the_file(
    language: str, style: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        f"- kind: snippet\n  language: {language}\n  code: {style}\n"
        "    export default function (payload) {\n      return payload +;\n    }\n"
    )
    shown = heddle("check", file).stdout
    assert f"{file}:5:23" in shown
    assert " 5 |       return payload +;\n" in shown


def test_a_problem_in_a_long_line_shows_an_excerpt(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    filler = ",".join(f'{{"kind":"nop","name":"n{number}"}}' for number in range(6000))
    file.write_text(f'[{filler},{{"kind":"snippt"}},{filler.replace("n", "m", 0)}]')
    shown = heddle("check", file).stdout
    line = next(each for each in shown.splitlines() if "snippt" in each and " | " in each)
    assert len(line) < 200
    assert "…" in line


@pytest.mark.parametrize(
    "text",
    ["- {kind: print, text: '{{ .NAME }}'}", "- {kind: if, when: '{{ NAME }} > 3'}"],
)
def test_a_blank_without_env_in_an_expression_is_explained(text: str) -> None:
    (problem,) = ran_json("check", "-", stdin=text)["problems"]
    assert problem["code"] == "code"
    assert "NAME: {data: '{{ .NAME }}'}" in problem["hint"]


@pytest.mark.parametrize(
    "code",
    ["{id: self.id}", "{'a': {id : self.x.id}}", "self.list.map(x, {id: x.id})", "{id: id}"],
)
def test_a_key_of_cel_without_quotes_is_a_hint(code: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f'- {{kind: snippet, name: a, language: cel, code: "{code}"}}\n')
    shown = ran("check", file)
    assert "hint[code-hint]" in shown
    assert "put it in quotes: {'id': …}" in shown
    told = ran_json("check", file)
    assert told["ok"] is True
    (hint,) = [each for each in told["problems"] if each["code"] == "code-hint"]
    assert file.read_text()[hint["column"] - 1 :].startswith("id")
    assert "put it in quotes" in heddle("eval", code, "-p", '{"id": 1}').stderr


@pytest.mark.parametrize("code", ["{'id': self.id}", "[1].map(x, {x: x})", "{id: 1}", "{id: name}"])
def test_other_keys_of_cel_are_no_hints(code: str) -> None:
    text = f'- {{kind: snippet, name: a, language: cel, code: "{code}"}}\n'
    told = ran_json("check", "-", stdin=text)["problems"]
    assert "code-hint" not in [each["code"] for each in told]


def test_blanks_that_nothing_fills_name_both_ways(tmp_path: Path) -> None:
    text = "- {kind: listener, port: '{{ .PORT }}', env: {PORT: {data: '{{ .PORT }}'}}}"
    shown = heddle("check", "-", "--strict-env", stdin=text).stdout
    assert "-e PORT=…" in shown
    assert "HEDDLE_ENVIRONMENT_PORT=…" in shown


def test_two_sources_of_tests_are_named(tmp_path: Path) -> None:
    result = heddle("test", "--store", tmp_path, "--from-specs", "a.yaml")
    assert result.exit_code == 2
    assert "give only one of PATH, --store and --from-specs" in result.stderr


@pytest.mark.parametrize(
    "code",
    ['"const a = 1;\\nexport const b = ;"', ">\n    const a = 1;\n\n    export const b = ;\n"],
)
def test_code_without_lines_of_its_own_shows_the_line(code: str) -> None:
    text = f"- kind: snippet\n  language: javascript\n  code: {code}\n"
    (problem,) = ran_json("check", "-", stdin=text)["problems"]
    assert problem["found"].endswith("in line 2 of the code: export const b = ;")
