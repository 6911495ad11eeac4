"""The parsing process reads what `read_text` reads, within limits, and dies without harm."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from heddle.specs.model.limits import ReadLimits, limits, use_limits
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.parsing.parser import PARSER, Parser, read_aside, read_twice_aside
from heddle.specs.yaml.parsing.wire import ParseRequest

TEXTS = {
    "specs and values": (
        "- {kind: snippet, name: a, language: text, code: x, env: {A: {data: 1}, B: {name: v}}}\n"
        "- {kind: log, ports: {out: [{name: b, port: x}], error: []}, annotations: {t: 1}}\n"
        "- {name: v, data: {n: 99999999999999999999999999, b: !!binary aGk=, f: .inf}}\n"
        "- {name: w, from: {file: a.json, format: json}, secret: true}\n"
    ),
    "problems": "- {kind: log, env: {HOST: db}}\n- {kind: [a]}\n- 5\n---\na: [\n",
    "json": '{"kind": "log", "a": [1, 2.5, null, "\\ud83d\\ude00"]}',
    "twice": '{"kind": "log", "a": 1, "a": 2}',
    "anchors": "a: &a {kind: log, x: [1, 2]}\nkind: nop\n<<: *a\n",
    "two files": "a: 1\n%YAML 1.2\n",
    "nothing": "",
}


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """Whatever limits a test sets hold for that test alone."""
    before = limits()
    yield
    use_limits(before)


@pytest.fixture
def parser() -> Iterator[Parser]:
    """Yield a Parser of its own, ended when the test ends."""
    made = Parser()
    yield made
    made.close()


def request(text: str) -> ParseRequest:
    """Return a request to read a text."""
    return ParseRequest(text.encode(), "a.yaml", "default", None, None, 0, 1 << 23, None, limits())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_says_the_same_wherever_it_is_read(text: str) -> None:
    here = read_text(text, file="a.yaml", revision=7)
    there = read_aside(text.encode(), file="a.yaml", revision=7)
    assert there == here
    assert [each.revision for each in there.specs] == [7] * len(here.specs)
    for path in [(), ("name",), ("ports", "out", 0, "port"), ("a", 1), ("env", "A")]:
        places = [each.place(path) for each in (*here.specs, *here.invalid, *here.values)]
        again = [each.place(path) for each in (*there.specs, *there.invalid, *there.values)]
        assert again == places


def test_ids_that_nobody_wrote_are_told_apart() -> None:
    text = b"- {kind: log}\n- {kind: log, name: a}\n"
    reading, written = asyncio.run(
        read_twice_aside(text, namespace="default", only=None, key="a", again="b", most=1000)
    )
    nameless, named = reading.specs
    assert nameless.id not in written
    assert named.id in written


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [" + "1," * 300_000 + "1]", "more than 200,000 nodes"),
        ('{"a": [' + "1," * 300_000 + "1]}", "more than 200,000 nodes"),
        ("[" * 150 + "]" * 150, "more than 100 levels"),
        ("x" * 3_000_000, "3,000,000 bytes"),
    ],
    ids=["nodes", "json nodes", "depth", "bytes"],
)
def test_a_text_beyond_a_limit_is_a_problem(text: str, found: str) -> None:
    assert found in str(read_aside(text.encode(), file="a.yaml").problems[0])
    assert found in str(read_text(text, file="a.yaml").problems[0])


def test_limits_that_are_set_hold_there_as_well() -> None:
    use_limits(ReadLimits(nodes=10))
    text = "a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]"
    assert "more than 10 nodes" in str(read_aside(text.encode()).problems[0])
    assert "more than 10 nodes" in str(read_text(text).problems[0])


def test_a_process_that_was_killed_is_begun_anew(parser: Parser) -> None:
    assert parser.parse(request("kind: log")).whole
    first = parser.pid
    assert first > 0
    os.kill(first, signal.SIGKILL)
    assert parser.parse(request("kind: log")).whole
    assert parser.pid != first


def test_a_process_that_hangs_is_ended_with_a_problem(parser: Parser) -> None:
    assert parser.parse(request("kind: log")).whole
    assert parser.pid > 0
    os.kill(parser.pid, signal.SIGSTOP)
    began = time.monotonic()
    reply = parser.parse(request("kind: log"), 0.3)
    assert "longer than 0.3 s" in reply.problems[0].found
    assert time.monotonic() - began < 5
    assert parser.pid == 0
    assert parser.parse(request("kind: log")).whole


def test_one_process_serves_every_text() -> None:
    read_aside(b"kind: log")
    first = PARSER.pid
    read_aside(b"kind: nop")
    assert PARSER.pid == first


def test_a_large_program_keeps_its_parsing_process(parser: Parser) -> None:
    # What the child measures is its own memory, not that of the program that begins it.
    large = bytearray(700 << 20)
    large[::4096] = b"x" * len(large[::4096])
    assert parser.parse(request("kind: log")).whole
    assert parser.pid > 0
    del large
