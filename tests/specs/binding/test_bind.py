"""Binding: each entry of `env` gets exactly what it asks for, and the blanks are filled from it."""

import base64
from typing import Any
from uuid import UUID

import pytest

from heddle.specs.binding.bind import BoundSpec, ValueSet, bind
from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import value
from heddle.specs.yaml.document import read_text

DATABASE = value("database", {"url": "pg://x", "password": "hunter22"}, secret=True)
TOKEN = value("token", "abc-def", secret=True)
PLAIN = value("plain", 5)


def spec(text: str) -> Spec:
    reading = read_text(text, file="f.yaml")
    assert not reading.problems
    return reading.specs[0]


def bound(text: str, *values: Value, **environment: Any) -> BoundSpec:
    return bind(spec(text), values, environment)


def codes(result: BoundSpec) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in result.problems]


def test_the_environment_fills_a_blank_with_its_type() -> None:
    text = "{kind: listener, name: l, port: '{{ .PORT }}', env: {PORT: {data: '{{ .PORT }}'}}}"
    result = bound(text, PORT=8000)
    assert result.problems == ()
    assert dict(result.spec.fields) == {"port": 8000}
    assert result.uses == frozenset()


def test_a_literal_stays_what_it_is() -> None:
    result = bound("{kind: x, port: '{{ .PORT }}', env: {PORT: {data: 8000}}}", DATABASE, PORT=1)
    assert dict(result.spec.fields) == {"port": 8000}


def test_without_env_nothing_is_touched() -> None:
    written = spec("{kind: x, code: '{{ .PORT }} {% raw %}'}")
    assert bind(written, [DATABASE], {"PORT": 1}).spec is written


def test_a_named_value_is_exactly_that_value() -> None:
    text = "{kind: x, url: '{{ .DB.url }}', all: '{{ .DB }}', env: {DB: {name: database}}}"
    result = bound(text, TOKEN, DATABASE, PLAIN)
    assert dict(result.spec.fields) == {"url": "pg://x", "all": DATABASE.data}
    assert result.uses == {DATABASE.id}
    assert result.asks == {"database"}


def test_a_value_is_found_by_id() -> None:
    text = f"{{kind: x, a: '{{{{ .P }}}}', env: {{P: {{id: {PLAIN.id}}}}}}}"
    result = bound(text, TOKEN, PLAIN)
    assert dict(result.spec.fields) == {"a": 5}
    assert result.asks == {PLAIN.id}


def test_an_unidentified_entry_never_gets_a_stored_value() -> None:
    stored = value("other", {"PORT": 1})
    text = "{kind: x, a: '{{ .PORT }}', env: {PORT: {data: '{{ .PORT }}'}, O: {name: other}}}"
    result = bound(text, stored, DATABASE)
    assert codes(result) == [("blank", "x:" + str(spec(text).id)[:8] + ".env.PORT.data")]
    assert "the environment has no" in result.problems[0].found
    assert dict(bound(text, stored, PORT=8000).spec.fields) == {"a": 8000}


def test_data_beside_a_name_picks_from_the_value() -> None:
    text = """
kind: x
auth: '{{ .AUTH }}'
url: '{{ .URL }}'
env:
  URL: {name: database, data: '{{ .url }}/db'}
  AUTH: {name: token, data: 'Bearer {{ . }}'}
"""
    result = bound(text, DATABASE, TOKEN)
    assert dict(result.spec.fields) == {"auth": "Bearer abc-def", "url": "pg://x/db"}


def test_a_value_of_another_namespace_is_not_found() -> None:
    other = value("database", 1, namespace="other")
    text = f"{{kind: x, name: n, env: {{A: {{name: database}}, B: {{id: {other.id}}}}}}}"
    result = bound(text, other)
    assert codes(result) == [("missing-value", "n.env.A.name"), ("missing-value", "n.env.B.id")]


def test_a_missing_value_is_told_once_with_the_nearest_name() -> None:
    text = "{kind: x, name: n, a: '{{ .DB.url }}', b: '{{ DB }}', env: {DB: {name: databse}}}"
    result = bound(text, DATABASE)
    (problem,) = result.problems
    assert problem.hint == 'Did you mean "database"?'
    assert (problem.place.line, problem.place.column) == (1, 66)
    assert result.asks == {"databse"}


def test_every_missing_blank_names_spec_field_and_blank() -> None:
    text = """
kind: x
name: n
a: '{{ .PROT }}'
deep:
  - {b: 'http://{{ .HSOT }}:{{ .PORT }}{{ .MORE }}'}
env:
  PORT: {data: 1}
  HOST: {data: h}
"""
    result = bound(text)
    told = [(problem.path, problem.place.line, problem.found) for problem in result.problems]
    assert [each[:2] for each in told] == [("n.a", 4), ("n.deep[0].b", 6), ("n.deep[0].b", 6)]
    assert "{{ .PROT }}" in told[0][2]
    assert "{{ .HSOT }}" in told[1][2]
    assert "{{ .MORE }}" in told[2][2]
    assert result.problems[0].hint == 'Did you mean "PORT"?'


def test_keys_are_filled_too() -> None:
    text = "{kind: x, m: {'{{ .K }}': 1, 'x-{{ .N }}': 2}, env: {K: {data: key}, N: {data: 5}}}"
    assert bound(text).spec.fields["m"] == {"key": 1, "x-5": 2}
    twice = "{kind: x, name: n, m: {'{{ .K }}': 1, key: 2}, env: {K: {data: key}}}"
    assert codes(bound(twice)) == [("duplicate-key", "n.m.key")]


def test_null_fields_are_no_trouble() -> None:
    assert bound("{kind: x, a: null, b: [null], env: {K: {data: null}}}").problems == ()


def test_what_has_no_blank_is_the_very_same_data() -> None:
    written = spec("{kind: x, big: {a: [1, 2]}, a: '{{ .K }}', env: {K: {data: 1}}}")
    assert bind(written).spec.fields["big"] is written.fields["big"]
    assert written.fields["a"] == "{{ .K }}"


def test_the_secrets_are_told_so_that_others_can_mask_them() -> None:
    text = "{kind: x, a: '{{ .T | upper }}', env: {DB: {name: database}, T: {name: token, data: 'Bearer {{ . }}'}, P: {name: plain}}}"
    result = bound(text, DATABASE, TOKEN, PLAIN)
    assert set(result.secrets) >= {"pg://x", "hunter22", "abc-def", "Bearer abc-def"}
    assert list(result.secrets) == sorted(result.secrets, key=len, reverse=True)
    assert result.spec.env == spec(text).env


def test_what_blanks_make_of_a_secret_is_a_secret_too() -> None:
    text = "{kind: x, a: '{{ .T | upper }}!', b: '{{ .P | upper }}', env: {T: {name: token}, P: {name: plain}}}"
    result = bound(text, TOKEN, PLAIN)
    assert result.spec.fields["a"] == "ABC-DEF!"
    assert "ABC-DEF" in result.secrets
    assert not [each for each in result.secrets if each in result.spec.fields["b"]]


def test_a_secret_is_told_in_the_forms_that_it_may_take() -> None:
    secret = Value(id=new_id(), name="s", data='say "no/\u00e4"', secret=True)
    forms = bound("{kind: x, a: '{{ .S }}', env: {S: {name: s}}}", secret).secrets
    assert {'say \\"no/\u00e4\\"', "say+%22no%2F%C3%A4%22", "say &quot;no/\u00e4&quot;"} <= set(
        forms
    )
    whole = base64.b64encode(b'user:say "no/\xc3\xa4"').decode()
    assert any(each in whole for each in forms)


def test_a_bound_spec_keeps_its_secrets_to_itself() -> None:
    assert "hunter22" not in repr(
        bound("{kind: x, a: '{{ .DB }}', env: {DB: {name: database}}}", DATABASE)
    )


def test_a_spec_inside_a_field_has_its_own_env_over_outer_one() -> None:
    text = """
kind: block
name: b
env: {A: {data: outer}, B: {data: both}}
specs:
  - {kind: x, a: '{{ .A }}', b: '{{ .B }}', env: {A: {data: inner}}}
  - {kind: y, a: '{{ .A }}'}
"""
    result = bound(text)
    assert result.problems == ()
    assert result.spec.fields["specs"] == [
        {"kind": "x", "a": "inner", "b": "both"},
        {"kind": "y", "a": "outer"},
    ]


def test_a_spec_inside_a_field_is_bound_though_outer_has_no_env() -> None:
    text = "{kind: block, name: b, specs: [{kind: x, a: '{{ .T }}', env: {T: {name: token}}}, {kind: y, a: '{{ .Z }}'}]}"
    result = bound(text, TOKEN)
    assert result.spec.fields["specs"] == [
        {"kind": "x", "a": "abc-def"},
        {"kind": "y", "a": "{{ .Z }}"},
    ]
    assert result.asks == {"token"}
    missing = bound(text)
    assert codes(missing) == [("missing-value", "b.specs[0].env.T.name")]


@pytest.mark.parametrize(
    "work",
    [
        "{SPEC}",
        "{kind: block, specs: [{SPEC}]}",
        "{kind: workflow, tasks: [{name: inner, do: {SPEC}}]}",
        "{kind: y, as: [{do: {SPEC}}]}",
    ],
)
@pytest.mark.parametrize("place", ["do: {WORK}", "fallback: [{name: other, do: {WORK}}]"])
def test_the_spec_of_a_task_may_have_its_own_env(work: str, place: str) -> None:
    inner = "{kind: x, a: '{{ .T }}', env: {T: {name: token}}}"
    task = place.replace("{WORK}", work.replace("{SPEC}", inner))
    text = f"{{kind: workflow, name: w, tasks: [{{name: t, {task}}}]}}"
    result = bound(text, TOKEN)
    assert result.problems == ()
    assert "'a': 'abc-def'" in str(result.spec.fields)
    assert "'env'" not in str(result.spec.fields)
    assert result.asks == {"token"}
    assert [code for code, _ in codes(bound(text))] == ["missing-value"]


def test_data_of_a_task_is_not_a_spec() -> None:
    text = """
kind: workflow
name: w
tasks:
  - name: t
    run: a:b
    inputs: {pod: {value: {kind: Pod, env: {A: {data: 1}}, text: '{{ .A }}'}}}
"""
    result = bound(text)
    assert result.spec.fields["tasks"][0]["inputs"]["pod"]["value"]["text"] == "{{ .A }}"


@pytest.mark.parametrize("asked", [{"id": PLAIN.id}, {"name": "plain"}])
def test_values_are_found_however_many_there_are(asked: dict[str, Any]) -> None:
    crowd = [value(f"v{number}", number) for number in range(100)]
    values = ValueSet([*crowd, PLAIN])
    result = bind(
        spec(
            f"{{kind: x, a: '{{{{ .P }}}}', env: {{P: {{{next(iter(asked))}: {next(iter(asked.values()))}}}}}}}"
        ),
        values,
    )
    assert dict(result.spec.fields) == {"a": 5}
    assert result.uses == {UUID(str(named_id("value", "default", "plain")))}
