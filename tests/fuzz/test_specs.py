"""Readers of Specs and Values: files, blanks, edits, the store's own files."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given

from heddle.schemas.errors import NotFoundError, SpecError
from heddle.schemas.problem import DEFECT
from heddle.specs.binding.template import BlankError, BlankScope, failures, fill
from heddle.specs.model.value import Value
from heddle.specs.secrets.seal import key_of, new_key, seal, unseal
from heddle.specs.stores.folder.journal import Journal
from heddle.specs.stores.folder.report_files import Noticeboard
from heddle.specs.yaml.canonical_form import formatted
from heddle.specs.yaml.document import ReadText, read_data, read_text
from heddle.specs.yaml.fast import parse, resolve
from tests.fuzz.mutation import fuzz, mutated, mutated_bytes

SPECS = [
    """\
# The front door.
- kind: listener
  name: front
  port: "{{ .PORT | default(8000) }}"
  env: {PORT: {name: port, data: "{{ .number }}"}}
  annotations: {team: web, since: 2024}
  ports:
    out: [{name: pong, port: in}]
    error: {name: log}
- {kind: snippet, name: pong, language: text, code: pong}
""",
    """\
%YAML 1.2
---
kind: snippet
name: a
language: cel
code: |
  {"body": self.x + 1}
---
kind: log
name: b
...
""",
    "base: &base {kind: log, level: info}\nname: x\n<<: *base\nkind: nop\nports:\n  out[0]: {name: y}\n",
    "name: password\nsecret: true\ndata: {user: a, hash: !!binary aGVsbG8=, n: 0x1f, f: 1.5e3}\n",
    "name: token\nfrom: {file: a/b.json, format: json}\n",
    '{"kind": "router", "name": "r", "routes": [{"path": "/a/{id}", "port": "out[1]"}], "id": null}',
    "kind: test\nname: t\ncases:\n- send: {a: [1, 2, {b: ~}]}\n  expect: 'true'\n? [1]\n: 2\n",
    "a: 1\n%YAML 1.2\n",
    "- kind: each\n  specs:\n  - kind: log\n    env: {A: {data: 1}}\n    text: '{{ .A }}'\n  name: >-\n    x\n",
]
DATA = [each.encode() for each in SPECS] + [SPECS[0].encode("utf-16"), SPECS[3].encode("utf-16-le")]


def sound(reading: ReadText) -> None:
    """Check that nothing came from the catch-all, and that every Problem can be shown."""
    assert [problem for problem in reading.problems if problem.code == DEFECT] == []
    assert all(str(problem) for problem in reading.problems)


@fuzz
@given(mutated(SPECS))
def test_texts_of_specs_give_problems(text: str) -> None:
    sound(read_text(text, file="a.yaml"))
    sound(read_text(text, only="values", key="x"))


@fuzz
@given(mutated_bytes(DATA))
def test_bytes_of_specs_give_problems(data: bytes) -> None:
    sound(read_text(data))


@fuzz
@given(mutated(SPECS))
def test_data_of_specs_gives_problems(text: str) -> None:
    for document in parse(text).documents:
        sound(read_data(document))


@fuzz
@given(mutated(SPECS))
def test_texts_are_formatted_or_left_alone(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(SpecError):
        formatted(text)


@fuzz
@given(mutated(["1", "0x1f", "-1.5e3", ".inf", "0o17", "true", "~"]))
def test_scalars_mean_something(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    resolve(text)


BLANKS = [
    "{{ .PORT }}",
    "http://{{ .DB.host }}:{{ .PORT | default(80) + 1 }}/{{ NAME | upper }}",
    "{% raw %}{{ x }}{% endraw %}{{ '{{' }}",
    "{{ .LIST[0].a | tojson }} {{ .LIST | join(', ') }}",
    "{{ .PORT * 2 if .NAME == 'a' else .LIST | length }}",
]


@fuzz
@given(mutated(BLANKS))
def test_blanks_are_filled_or_say_why(text: str) -> None:
    names = {"PORT": 8000, "DB": {"host": "h"}, "NAME": "a", "LIST": [{"a": 1}]}
    scope = BlankScope(names=names, owner="env", whole=names)
    with contextlib.suppress(BlankError):
        fill(text, scope)
    failures(text, scope)


def test_the_history_is_read_past_broken_lines(tmp_path: Path) -> None:
    lines = [
        b'{"base":[{"revision":1,"spec":{"kind":"log","name":"a","id":"01890a5d-ac96-774b-bcce-b302099a8057"}}]}\n',
        (
            b'{"number":7,"time":1.5,"author":"a","message":"m","turns":[{"before":null,"after":{"revision":7,'
            b'"value":{"name":"v","data":{"\\u0000bytes":"aGk="},"id":"01890a5d-ac96-774b-bcce-b302099a8057"}}}]}\n'
        ),
        b'{"number":8,"time":2,"author":"","message":"","turns":[]}\n',
    ]
    path = tmp_path / "history.jsonl"

    @fuzz
    @given(mutated_bytes(lines))
    def read(data: bytes) -> None:
        path.write_bytes(data)
        journal = Journal(str(path))
        journal.state()
        journal.history()
        with contextlib.suppress(NotFoundError):
            journal.revision(7)

    read()


def test_reports_that_are_broken_are_left_out(tmp_path: Path) -> None:
    seeds = [
        (
            b'{"runtime":"r","namespace":"default","host":"h","pid":1,"version":"1","started":1.0,"seen":2.0,'
            b'"interval":5.0,"generation":3,"observed":4,"conditions":[{"type":"Valid","status":true}],'
            b'"symbols":[{"id":"01890a5d-ac96-774b-bcce-b302099a8057","name":"a"}]}'
        )
    ]

    @fuzz
    @given(mutated_bytes(seeds))
    def read(data: bytes) -> None:
        (tmp_path / "r.json").write_bytes(data)
        Noticeboard(str(tmp_path)).all()

    read()


KEY = new_key()


@fuzz
@given(mutated([KEY.text, "heddle-key:v1:abc", "heddle:v1:012345678901:" + "a" * 60]))
def test_keys_are_read_or_rejected(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(ValueError):
        key_of(text)


def test_sealed_texts_open_or_are_rejected() -> None:
    pytest.importorskip("cryptography")
    value = Value(id=read_text("name: a\ndata: 1", only="values").values[0].id, name="a")

    @fuzz
    @given(mutated([seal({"a": b"x", "b": [1]}, KEY, value), seal("x", new_key(), value)]))
    def opened(text: str) -> None:
        with contextlib.suppress(ValueError):
            unseal(text, KEY, value)

    opened()
