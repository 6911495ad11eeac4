"""SQLite has no booleans: columns that are declared so are true and false all the same."""

import json
from pathlib import Path

import pytest

from heddle.runtime.flow.errors import Error
from tests.support import change, fetch, port_of, running

pytestmark = pytest.mark.anyio

TASKS = (
    "CREATE TABLE IF NOT EXISTS tasks "
    '(id INTEGER PRIMARY KEY, title TEXT, done BOOLEAN NOT NULL DEFAULT 0, "is new" bool, n INTEGER)'
)


def sql(path: Path, *fields: str) -> str:
    inside = ", ".join([f"source: '{path}'", *fields])
    return f"- {{kind: sql, name: it, init: '{TASKS}', {inside}}}\n".replace('"is new"', '"is new"')


async def ask(path: Path, *statements: str) -> list[object]:
    """Return what each statement gives, all in one runtime."""
    async with running(sql(path)) as rt:
        return [await rt.send("it", statement) for statement in statements]


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("SELECT done, n FROM tasks", {"done": True, "n": 1}),
        ("SELECT t.done AS finished, n AS done FROM tasks t", {"finished": True, "done": 1}),
        ('SELECT "is new" FROM tasks', {"is new": False}),
        ("SELECT a.done, b.done FROM tasks a, tasks b", {"done": True, "done_2": True}),
        ("SELECT done FROM (SELECT * FROM tasks)", {"done": True}),
        ("WITH t AS (SELECT done FROM tasks) SELECT * FROM t", {"done": True}),
        ("SELECT done + 0 AS sum, NOT done AS not_done FROM tasks", {"sum": 1, "not_done": 0}),
        ("SELECT done FROM tasks WHERE id IN (1, NULL)", {"done": True}),
        ("UPDATE tasks SET n = 1 RETURNING id, done", {"id": 1, "done": True}),
        ("INSERT OR REPLACE INTO tasks VALUES (1, 'a', 1, 0, 1) RETURNING *", None),
        ("DELETE FROM tasks WHERE id = 1 RETURNING done AS was", {"was": True}),
    ],
)
async def test_a_declared_column_is_true_or_false_under_any_name(
    tmp_path: Path, query: str, row: dict[str, object] | None
) -> None:
    first = "INSERT INTO tasks VALUES (1, 'a', TRUE, FALSE, 1)"
    _, rows = await ask(tmp_path / "a.db", first, query)
    whole = {"id": 1, "title": "a", "done": True, "is new": False, "n": 1}
    assert json.dumps(rows) == json.dumps([row or whole])


async def test_null_and_other_numbers_stay_as_they_are(tmp_path: Path) -> None:
    answers = await ask(
        tmp_path / "a.db",
        "INSERT INTO tasks VALUES (1, 'a', 7, NULL, 1)",
        'SELECT done, "is new" FROM tasks',
    )
    assert json.dumps(answers[1]) == '[{"done": 7, "is new": null}]'


async def test_a_column_that_is_added_counts_from_then_on(tmp_path: Path) -> None:
    answers = await ask(
        tmp_path / "a.db",
        "INSERT INTO tasks (id) VALUES (1)",
        "SELECT * FROM tasks",
        "ALTER TABLE tasks ADD COLUMN late BOOLEAN DEFAULT 1",
        "SELECT late FROM tasks",
    )
    assert json.dumps(answers[3]) == '[{"late": true}]'


async def test_streams_have_them_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await ask(path, "INSERT INTO tasks (id, done) VALUES (1, 1), (2, 0)")
    listener = "- {kind: listener, name: listener, port: 0, ports: {out: {name: it}}}\n"
    query = "statement: 'SELECT id, done FROM tasks'"
    async with running(listener, sql(path, query, "result: json")) as rt:
        reply = await fetch(port_of(rt))
        assert json.loads(reply.body) == [{"id": 1, "done": True}, {"id": 2, "done": False}]


async def test_the_packet_goes_on_with_the_result_under_a_name(tmp_path: Path) -> None:
    flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: router}}}}}}
- kind: router
  name: router
  routes: [{{method: PUT, path: '/tasks/{{id:integer}}', to: it}}]
- kind: sql
  name: it
  source: '{tmp_path / "a.db"}'
  init: ['{TASKS}', "INSERT INTO tasks (id, title) VALUES (7, 'old')"]
  statement: SELECT id, title, done FROM tasks WHERE id = :id
  args: '{{"id": params.id}}'
  result: row
  as: task
  ports: {{out: {{name: show}}}}
- {{kind: snippet, name: show, language: cel, code: '{{"body": {{"was": task, "new": body, "id": params.id}}}}'}}
"""
    async with running(flow) as rt:
        headers = {"Content-Type": "application/json"}
        reply = await fetch(
            port_of(rt), "/tasks/7", method="PUT", headers=headers, body='{"title": "new"}'
        )
        assert json.loads(reply.body) == {
            "was": {"id": 7, "title": "old", "done": False},
            "new": {"title": "new"},
            "id": 7,
        }


async def test_a_result_beside_the_packet_needs_a_map(tmp_path: Path) -> None:
    async with running(sql(tmp_path / "a.db", "statement: SELECT 1 AS a", "as: one")) as rt:
        assert await rt.send("it", {"b": 2}) == {"b": 2, "one": [{"a": 1}]}
        answer = await rt.send("it", [1])
        assert type(answer) is Error
        assert "the packet is a map" in answer.message


async def test_init_that_fails_keeps_what_ran_before(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with running(sql(path, "statement: SELECT count(*) AS n FROM tasks")) as rt:
        wrong = f"- {{kind: sql, name: it, source: '{path}', init: [CREATE TABLE late (id INTEGER), NONSENSE]}}"
        await change(rt, wrong)
        assert "syntax error" in str(rt.status().symbols)
        assert await rt.send("it", None) == [{"n": 0}]
    # It was one transaction: nothing of it is left.
    async with running(sql(path, "statement: SELECT count(*) AS n FROM late")) as rt:
        assert type(await rt.send("it", None)) is Error


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ("init: 'INSERT INTO t VALUES (?)'", "it.init[0]", "a placeholder"),
        ("init: ['SELECT 1', 'COMMIT']", "it.init[1]", "is not for a statement to say"),
        ("as: x, result: jsonl", "it.as", "as with a result in pieces"),
    ],
)
async def test_fields_that_do_not_go_together_are_problems(
    fields: str, path: str, text: str
) -> None:
    async with running(f"- {{kind: sql, name: it, source: ':memory:', {fields}}}") as rt:
        [problem] = rt.status().problems
    assert problem.path == path
    assert text in str(problem)
