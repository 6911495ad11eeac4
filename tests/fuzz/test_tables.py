"""Readers of tables and lines of data: CSV, JSON lines, text."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.data.jsonl import parsed
from heddle.extensions.data.lines import gathered, lines_of
from heddle.extensions.data.records import Records, Rules
from heddle.runtime.flow.errors import NodeError
from tests.fuzz.mutation import fuzz, mutated_bytes

CSV = [
    b'name,price,when\n"a ""b""",1.50,2024-01-01\nc,,\n\n',
    'näme;preis\r\n"x\r\ny";1,5\r\n'.encode(),
    b"a\tb\n1\t2\t3\n",
    "a,b\n1,2".encode("utf-16"),
]
LINES = [b'{"a": 1}\n[1, "x"]\n\nnull\n', b'{"a": "\\ud83d\\ude00"}\r\n1e5\n']


@fuzz
@given(mutated_bytes(CSV), st.sampled_from([",", ";", "\t", "auto"]), st.booleans())
def test_tables_are_read_or_say_why(data: bytes, delimiter: str, header: bool) -> None:
    rules = Rules(
        delimiter=delimiter,
        quote='"',
        header=header,
        columns=(),
        types={"price": "number", "a": "int"},
        nulls=frozenset({""}),
        ragged="fill" if header else "error",
    )

    async def read() -> None:
        for encoding in ("utf-8", "latin-1", "utf-16"):
            with contextlib.suppress(NodeError):
                await gathered(Records(rules).rows(lines_of(data, encoding)), 1000)

    asyncio.run(read())


@fuzz
@given(mutated_bytes(LINES))
def test_json_lines_are_read_or_say_why(data: bytes) -> None:
    async def read() -> None:
        with contextlib.suppress(NodeError):
            await gathered(parsed(lines_of(data, "utf-8")), 1000)

    asyncio.run(read())
