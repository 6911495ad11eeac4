"""Secrets of every kind: one that is empty, or says nothing, is a Problem."""

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text

KINDS = [
    "kind: signature, preset: github, secrets: [{}]",
    "kind: signature, preset: standard, secrets: [{}]",
    "kind: signature, mode: sign, header: X, secrets: [a, {}]",
    "kind: auth, basic: {{ada: {}}}",
    "kind: auth, bearer: {{ci: {}}}",
    "kind: auth, jwt: {{algorithms: [HS256], key: {}}}",
    "kind: cookies, secrets: [{}]",
    "kind: http, url: 'http://127.0.0.1', auth: {{token: {}}}",
    "kind: http, url: 'http://127.0.0.1', auth: {{user: {}}}",
]


def problems(fields: str) -> list[str]:
    reading = read_text(f"- {{{fields}, name: node}}", file="flow.yaml")
    checked = check_specs(reading.specs, ValueSet(()), installed(settings_of(None, ())))
    return [f"{problem} {problem.expected}" for problem in checked.problems]


@pytest.mark.parametrize("fields", KINDS)
@pytest.mark.parametrize("secret", ["", " " * 40, "\t\n"])
def test_an_empty_secret_is_a_problem_of_every_kind(fields: str, secret: str) -> None:
    assert problems(fields.format(repr(secret).replace("'", '"')))


@pytest.mark.parametrize("secret", ["whsec_", "whsec_=", "whsec_==", "whsec_ "])
def test_a_coded_secret_without_a_key_is_a_problem(secret: str) -> None:
    wrong = problems(f"kind: signature, preset: standard, secrets: ['{secret}']")
    assert len(wrong) == 1
    assert "whsec_ and the secret in base64" in wrong[0]


def test_secrets_with_something_in_them_pass() -> None:
    for fields in KINDS:
        secret = "whsec_" + "c2VjcmV0" * 4 if "standard" in fields else "s" * 40
        assert problems(fields.format(secret)) == []
