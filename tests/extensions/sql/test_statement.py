"""Statements: placeholders are found if they are, and nowhere else."""

import pytest

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.statement import Statement


@pytest.mark.parametrize(
    ("text", "dialect", "sql", "marks"),
    [
        ("SELECT ?, ?", "sqlite", "SELECT ?1, ?2", (1, 2)),
        ("SELECT ?, ?", "postgres", "SELECT $1, $2", (1, 2)),
        ("SELECT ?, ?", "other", "SELECT :p1, :p2", (1, 2)),
        ("SELECT $2, $1, $2", "sqlite", "SELECT ?1, ?2, ?1", (2, 1)),
        ("SELECT :a, :b, :a", "postgres", "SELECT $1, $2, $1", ("a", "b")),
        (
            "SELECT :a::int, '12:30', \"x:y\"",
            "postgres",
            "SELECT $1::int, '12:30', \"x:y\"",
            ("a",),
        ),
        ("SELECT 'it''s ?', ? -- :no\n", "sqlite", "SELECT 'it''s ?', ?1 -- :no\n", (1,)),
        ("SELECT /* ? :x */ ?", "sqlite", "SELECT /* ? :x */ ?1", (1,)),
        ("SELECT E'\\'?', ?", "postgres", "SELECT E'\\'?', $1", (1,)),
        (
            "SELECT $$ ? :x $$, $t$ $1 $t$, $1",
            "postgres",
            "SELECT $$ ? :x $$, $t$ $1 $t$, $1",
            (1,),
        ),
        ("SELECT doc ? :key", "postgres", "SELECT doc ? $1", ("key",)),
        ("SELECT doc ? $1", "postgres", "SELECT doc ? $1", (1,)),
        ("SELECT doc ?| ?, ?||'x'", "postgres", "SELECT doc ?| $1, $2||'x'", (1, 2)),
        ("SELECT [a?b], ?", "sqlite", "SELECT [a?b], ?1", (1,)),
        ("SELECT '10:x', a:b", "other", "SELECT '10:x', a:p1", ("b",)),
        ("SELECT 'a:b', ?", "other", "SELECT 'a\\:b', :p1", (1,)),
    ],
)
def test_placeholders_become_those_of_the_dialect(
    text: str, dialect: str, sql: str, marks: tuple[object, ...]
) -> None:
    if "10:x" in text:
        sql = sql.replace("10:x", "10\\:x")
    found = Statement(text, dialect)
    assert found.sql == sql
    assert found.marks == marks


def test_arguments_are_bound_by_position_or_by_name() -> None:
    assert Statement("SELECT ?, ?", "sqlite").bind([1, None]) == [1, None]
    assert Statement("SELECT $2, $1", "sqlite").bind(["a", "b"]) == ["b", "a"]
    assert Statement("SELECT ?", "sqlite").bind(7) == [7]
    assert Statement("SELECT :a, :b", "sqlite").bind({"b": 2, "a": 1, "c": 3}) == [1, 2]
    assert Statement("SELECT :a", "sqlite").bind([{"a": 1}]) == [1]
    assert Statement("SELECT 1", "sqlite").bind(None) == []


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("SELECT ?, ?", [1], "the statement wants 2 arguments; found 1"),
        ("SELECT ?", [1, 2], "the statement wants 1 argument; found 2"),
        ("SELECT 1", [1], "the statement wants no arguments; found 1"),
        ("SELECT ?", None, "the statement wants 1 argument; found 0"),
        ("SELECT :name", {"nam": 1}, 'wants :name, which is not given. Did you mean "nam"?'),
        ("SELECT :a, :b", {}, "wants :a, :b, which is not given"),
        ("SELECT :a", [1], "wants a map with a; found a int"),
        ("SELECT ?", {"a": 1}, "has placeholders by position, the arguments have names"),
    ],
)
def test_arguments_that_do_not_fit_are_told(text: str, args: object, said: str) -> None:
    with pytest.raises(NodeError) as caught:
        Statement(text, "sqlite").bind(args)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["SELECT ?, :a", "SELECT $1, :a"])
def test_names_and_positions_do_not_mix(text: str) -> None:
    with pytest.raises(NodeError, match="either all by name or all by position"):
        Statement(text, "sqlite")


@pytest.mark.parametrize("text", ["BEGIN", "  commit;", "/* x */ ROLLBACK", "-- x\nEND", "abort"])
def test_the_transaction_is_not_for_statements_to_end(text: str) -> None:
    with pytest.raises(NodeError, match="the transaction belongs to the process"):
        Statement(text, "postgres")


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("select 1", True),
        ("  -- x\n (SELECT 1)", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", False),
        ("INSERT INTO t VALUES (1)", False),
        ("CREATE TABLE t (a)", False),
        ("ROLLBACK TO here", False),
    ],
)
def test_what_only_reads_is_told_from_what_writes(text: str, reads: bool) -> None:
    assert Statement(text, "sqlite").reads == reads
