"""csv and jsonl: tables and lines, whole or in pieces; what is wrong is told with its line."""

import csv as standard
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.extensions.data.lines import gathered
from heddle.extensions.data.records import Records, Rules
from heddle.extensions.extension import node
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from tests.support import running

pytestmark = pytest.mark.anyio


async def made(lines: str, payload: Any, kind: str = "csv") -> Any:
    """Return what a node answers."""
    comma = ", " if lines else ""
    async with running(f"- {{kind: {kind}, name: t{comma}{lines}}}\n") as rt:
        assert not rt.status().problems, [str(one) for one in rt.status().problems]
        return await rt.send("t", payload)


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield a text, so many bytes at a time."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


TABLE = 'id,item,price\n1,tea,2.5\n2,"a, ""b""\nc",\n'
ROWS = [
    {"id": "1", "item": "tea", "price": "2.5"},
    {"id": "2", "item": 'a, "b"\nc', "price": ""},
]


@pytest.mark.parametrize("form", ["text", "bytes", "bom", "crlf", "stream"])
async def test_a_table_is_read_as_maps_by_its_header(form: str) -> None:
    payload: Any = TABLE
    if form == "bytes":
        payload = TABLE.encode()
    if form == "bom":
        payload = TABLE.encode("utf-8-sig")
    if form == "crlf":
        payload = TABLE.replace("\n", "\r\n").replace("\r\nc", "\nc")
    if form == "stream":
        payload = ByteStream(pieces(TABLE.encode(), 3))
    assert await made("", payload) == ROWS


async def test_cells_are_what_their_types_say() -> None:
    text = 'n,x,yes,doc,s\n1,2.5,TRUE,"{""a"": 1}",007\n,7,no,[],\n'
    types = "types: {n: int, x: number, yes: bool, doc: json}, nulls: ['']"
    assert await made(types, text) == [
        {"n": 1, "x": 2.5, "yes": True, "doc": {"a": 1}, "s": "007"},
        {"n": None, "x": 7, "yes": False, "doc": [], "s": None},
    ]


@pytest.mark.parametrize(
    ("lines", "text", "found"),
    [
        ("header: false", "1,2\n3\n", [["1", "2"], ["3"]]),
        ("header: false, columns: [a, b]", "1,2\n", [{"a": "1", "b": "2"}]),
        ("columns: [x, y]", "a,b\n1,2\n", [{"x": "1", "y": "2"}]),
        ("delimiter: ;", "a;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        ('delimiter: "\\t"', "a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ("delimiter: auto", 'a;"b,c,d"\n1;2\n', [{"a": "1", "b,c,d": "2"}]),
        ("delimiter: auto", "a|b\n1|2\n", [{"a": "1", "b": "2"}]),
        ('quote: "\'"', "a,b\n'1,2',3\n", [{"a": "1,2", "b": "3"}]),
        ("ragged: fill", "a,b,c\n1\n", [{"a": "1", "b": None, "c": None}]),
        ("", "a\n\n1\n\n", [{"a": "1"}]),
        ("", 'a,b\n5" disk,6\n', [{"a": '5" disk', "b": "6"}]),
        ("", "", []),
        ("", "a,b\n", []),
        ("", "a,b", []),
        ("", "a\n1", [{"a": "1"}]),
        ("encoding: latin-1", "a\né\n".encode("latin-1"), [{"a": "é"}]),
    ],
)
async def test_dialects_are_read(lines: str, text: Any, found: list[Any]) -> None:
    assert await made(lines, text) == found


@pytest.mark.parametrize(
    ("lines", "text", "code", "said"),
    [
        ("", "a,b\n1,2\n1,2,3\n", "csv", "line 3: found 3 cells (expected: 2, as there are columns)"),
        ("", "a,b\n1\n", "csv", "line 2: found 1 cells"),
        ("ragged: fill", "a,b\n1,2,3\n", "csv", "line 2: found 3 cells"),
        ("", 'a,b\n1,"2\n3,4\n', "csv", "line 2: a quote is opened and never closed"),
        ("", 'a,b\n"1"x,2\n', "csv", "line 2: "),
        ("", "a,b\nx\ry,1\n", "csv", "line 2: a CR stands outside of quotes (expected: lines that end with"),
        ("", "a,a\n", "csv", 'line 1: two columns are called "a"'),
        ("", "a,,c\n", "csv", "line 1: column 2 has no name"),
        ("types: {b: int}", "a,b\n\"x\ny\",1\n2,x\n", "cell", 'line 4, b: found "x" (expected: a whole number)'),
        ("types: {c: int}", "a,b\n", "csv", 'line 1: there is no column "c" (there are: a, b)'),
        ("", b"a\n\xff\n", "text", "it is not utf-8 text"),
        ("", None, "data", "found null (expected: text, bytes or a byte stream)"),
        ("max_rows: 2", "a\n1\n2\n3\n", "too-large", "more than 2 rows"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_with_its_line(
    lines: str, text: Any, code: str, said: str
) -> None:
    answer = await made(lines, text)
    assert isinstance(answer, Error)
    assert answer.code == code
    assert said in answer.message


@pytest.mark.parametrize(
    ("lines", "payload", "found"),
    [
        ("", [{"a": 1, "b": None}, {"c": True}], "a,b,c\n1,,\n,,true\n"),
        ("columns: [b]", [{"a": 1, "b": 2.5}], "b\n2.5\n"),
        ("header: false", [[1, 'say "hi", then\nleave']], '1,"say ""hi"", then\nleave"\n'),
        ("columns: [x, y]", [[1, 2]], "x,y\n1,2\n"),
        ("delimiter: ;, newline: crlf", [{"a": "x;y"}], 'a\r\n"x;y"\r\n'),
        ("", {"a": {"b": [1]}}, 'a\n"{""b"":[1]}"\n'),
        ("", [], ""),
    ],
)
async def test_rows_are_written(lines: str, payload: Any, found: str) -> None:
    comma = ", " if lines else ""
    assert await made(f"op: format{comma}{lines}", payload) == found


async def test_rows_that_cannot_be_written_are_told_by_number() -> None:
    answer = await made("op: format", [{"a": 1}, 7])
    assert "row 2: found a int (expected: a map or a list)" in answer.message
    answer = await made("op: format, columns: [a, b]", [[1]])
    assert "row 1: found 1 cells (expected: 2)" in answer.message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("delimiter: ab", "one character, or auto"),
        ('delimiter: "\'", quote: "\'"', "another character"),
        ("op: format, delimiter: auto", "the character to write"),
        ("op: format, batch: 5", "batch with op: format"),
        ("encoding: utf-88", 'unknown encoding "utf-88"'),
        ('encoding: "a\\0b"', "unknown encoding"),
        ("types: {a: integer}", "int"),
    ],
)
async def test_a_spec_that_cannot_work_is_a_problem(lines: str, said: str) -> None:
    async with running(f"- {{kind: csv, name: t, {lines}}}\n") as rt:
        [problem] = rt.status().problems
    assert said in str(problem)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8),
    size=st.integers(1, 9),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_pieces_are_read_as_the_standard_library_reads_the_whole(
    rows: list[list[str]], size: int, end: str
) -> None:
    import asyncio

    text = io.StringIO(newline="")
    standard.writer(text, lineterminator=end, quoting=standard.QUOTE_NONNUMERIC).writerows(rows)
    whole = text.getvalue()

    async def lines() -> AsyncIterator[list[str]]:
        found = [f"{line}\n" for line in whole.split("\n")]
        found[-1] = found[-1][:-1]
        found = [line for line in found if line]
        for start in range(0, len(found), size):
            yield found[start : start + size]

    async def read() -> list[Any]:
        return await gathered(Records(Rules(header=False)).rows(lines()), 0)

    wanted = [row for row in standard.reader(io.StringIO(whole, newline=""), strict=True) if row]
    assert asyncio.run(read()) == wanted


# -- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_a_stream_goes_out_in_batches_one_after_the_other(kind: str) -> None:
    seen: list[list[Any]] = []

    @node("see")
    async def see(payload: Any) -> Any:
        seen.append(payload)
        return len(payload)

    flow = f"- {{kind: {kind}, name: t, batch: 4, ports: {{out: [{{name: see, port: in}}]}}}}\n"
    if kind == "csv":
        data = "n\n" + "".join(f"{number}\n" for number in range(10))
        rows: list[Any] = [{"n": str(number)} for number in range(10)]
    else:
        data = "".join(f"{number}\n" for number in range(10))
        rows = list(range(10))
    async with running(flow, "- {kind: see, name: see}\n", extensions=[see]) as rt:
        answer = await rt.send("t", ByteStream(pieces(data.encode(), 7)))
    assert answer == {"rows": 10, "batches": 3}
    assert seen == [rows[:4], rows[4:8], rows[8:]]


async def test_an_error_ends_the_batches_and_is_the_answer() -> None:
    flow = "- {kind: csv, name: t, batch: 1, ports: {out: [{name: bad, port: in}]}}\n"
    async with running(flow, "- {kind: throw, name: bad}\n") as rt:
        answer = await rt.send("t", TABLE)
    assert isinstance(answer, Error)
    assert answer.code == "thrown"


async def test_a_file_of_csv_goes_into_a_database_in_one_transaction() -> None:
    flow = """
- kind: csv
  name: t
  batch: 100
  types: {id: int, price: number}
  ports: {out: [{name: put, port: in}]}
- kind: sql
  name: put
  source: ':memory:'
  many: true
  statement: INSERT INTO orders VALUES (:id, :item, :price)
- {kind: sql, name: db, source: ':memory:'}
"""
    lines = "".join(f"{number},item {number},{number / 2}\n" for number in range(1000))
    async with running(flow) as rt:
        await rt.send("db", "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, price REAL)")
        answer = await rt.send("t", ByteStream(pieces(f"id,item,price\n{lines}".encode(), 999)))
        assert answer == {"rows": 1000, "batches": 10}
        assert await rt.send("db", "SELECT count(*) AS n, sum(price) AS p FROM orders") == [
            {"n": 1000, "p": 249750.0}
        ]
        # A row that is there already undoes all of it.
        again = await rt.send("t", f"id,item,price\n5000,new,1\n{lines}")
        assert isinstance(again, Error)
        assert again.code == "unique"
        assert await rt.send("db", "SELECT count(*) AS n FROM orders") == [{"n": 1000}]


# -- jsonl ---------------------------------------------------------------------------------------


async def test_json_lines_are_read_and_written() -> None:
    rows = [{"a": 1}, [1, None], "é", None]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert await made("", f"\n{text}\n", "jsonl") == rows
    assert await made("", text.rstrip("\n"), "jsonl") == rows
    assert await made("op: format", rows, "jsonl") == '{"a":1}\n[1,null]\n"é"\nnull\n'
    assert await made("op: format", {"a": 1}, "jsonl") == '{"a":1}\n'


async def test_a_line_that_is_no_json_is_told_by_number() -> None:
    answer = await made("", '{"a": 1}\n\n{"a": }\n', "jsonl")
    assert isinstance(answer, Error)
    assert answer.message.startswith("line 3: ")
    assert answer.code == "json"
    assert "more than 1 rows" in (await made("max_rows: 1", "1\n2\n", "jsonl")).message


async def test_jsonl_names_json_as_it_is_written() -> None:
    answer = await made("", '{"a":1}\n{bad}\n', "jsonl")
    assert answer.message.startswith("line 2: JSON is malformed")
    answer = await made("", '"\\ud800"\n', "jsonl")
    assert "half of a surrogate pair" in answer.message


@pytest.mark.parametrize(
    "cell", ["x\ry", "\r", "\rx", "a\nb", "a\r\nb", "", " ", '"', "a,b", "\ufeffx"]
)
@pytest.mark.parametrize("newline", ["lf", "crlf"])
async def test_what_is_written_is_read_again(cell: str, newline: str) -> None:
    flow = f"""
- {{kind: csv, name: t, op: format, newline: {newline}, ports: {{out: {{name: back}}}}}}
- {{kind: csv, name: back}}
"""
    async with running(flow) as rt:
        for rows in ([{"a": cell}], [{"a": cell, "b": "z"}], [{"a": "z", "b": cell}]):
            assert await rt.send("t", rows) == rows


async def test_a_cell_may_be_large() -> None:
    large = "x" * 140_000
    assert await made("", f"a,b\n{large},1\n") == [{"a": large, "b": "1"}]
    quoted = f'"{large}\n{large}"'
    assert await made("", f"a,b\n{quoted},1\n") == [{"a": f"{large}\n{large}", "b": "1"}]
    line = "x" * 1_000_000
    answer = await made("", 'a\n"' + f"{line}\n" * 17 + '"\n')
    assert (answer.code, "16,777,216 characters" in answer.message) == ("too-large", True)


@pytest.mark.parametrize(
    "cell", ["nan", "NaN", "inf", "-Infinity", "1e400", "1_000", "١", "", "0x10"]
)
async def test_a_number_is_one_that_json_can_hold(cell: str) -> None:
    answer = await made("types: {n: number}", f"n,m\n{cell},1\n")
    assert isinstance(answer, Error)
    assert "(expected: a number)" in answer.message


async def test_what_json_has_no_number_for_is_an_empty_cell() -> None:
    assert await made("op: format", [{"a": float("nan"), "b": float("-inf"), "c": 10**30}]) == (
        f"a,b,c\n,,{10**30}\n"
    )


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_the_example_of_the_page_runs(kind: str) -> None:
    from heddle.extensions.data.csv_ import CSV
    from heddle.extensions.data.jsonl import JSONL

    async with running((CSV if kind == "csv" else JSONL).schema.example) as rt:
        assert not rt.status().problems
        if kind == "csv":
            answer = await rt.send("orders", "id;price\n1;2.5\n2;12.5\n")
            assert answer == [{"id": "2", "price": 12.5}]
        else:
            assert await rt.send("events", '{"a": 1}\n{"a": 2}\n') == 2
