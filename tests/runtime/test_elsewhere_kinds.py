"""What a kind that somebody writes has to do for programs that leave the event loop: hardly anything."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Expression,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Program,
    Schema,
    about,
)
from heddle.runtime.flow.elsewhere import await_program
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream
from tests.extensions.test_every_program import BEATS, SPIN, beating, slow
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio


class Each(Fields):
    """What the kinds of this page say."""

    code: Annotated[Expression, about("What to make of each item.")]


class EachNode(Node):
    """Makes something of each item: in a plain function, waiting, or waiting in the wrong way."""

    def __init__(self, program: Program, way: str) -> None:
        self.calls = 0
        self._program = program
        ways = {"plain": self._plain, "waiting": self._waiting, "forgetful": self._forgetful}
        self._action = Action(ways[way])

    def handler(self, port: str) -> Handler | None:
        return self._action if port == "in" else None

    def _plain(self, payload: Payload) -> Payload:
        made = [self._program(item) for item in payload]
        self.calls += 1
        return made

    async def _waiting(self, payload: Payload) -> Payload:
        made = [await await_program(self._program, item) for item in payload]
        self.calls += 1
        return made

    async def _forgetful(self, payload: Payload) -> Payload:
        return self._plain(payload)


def kind(way: str) -> Kind[Any]:
    def compile_each(fields: Each, build: Build) -> Node:
        return EachNode(build.program(fields.code, "code"), way)

    schema = Schema(
        kind=way,
        fields=Each,
        summary="Makes something of each item.",
        category="test",
        ins=(IN,),
        outs=(OUT, ERROR),
        example=f"- kind: {way}\n  name: a\n  code: self\n",
    )
    return Kind(schema, compile_each)


SOMETIMES = "{language: javascript, code: '" + SPIN.replace("3000000", "payload") + " || payload'}"
"""Gives true for large numbers, slowly, and small ones as they are."""


@pytest.mark.parametrize("way", ["plain", "waiting"])
async def test_a_kind_may_run_one_program_on_many_payloads(way: str) -> None:
    flow = f"- {{kind: {way}, name: a, code: {SOMETIMES}}}\n"
    slow, slower = 2_000_000, 2_500_000
    async with running(flow, extensions=[kind(way)]) as rt, beating() as heart:
        for _ in range(2):
            before = heart.beats
            answer = await rt.send("a", [0, slow, 0, -1, slower, slow, -2])
            assert answer == [0, True, 0, -1, True, True, -2]
            assert heart.beats - before >= BEATS
        symbol = rt.table.get("a")
        assert symbol is not None
        assert isinstance(symbol.node, EachNode)
        assert symbol.node.calls == 2


PRINTS = "{language: javascript, code: '(console.log(\"here\"), payload)'}"
NEVER = PRINTS.replace("payload)", "false)")
HERE = "- {kind: snippet, name: b, language: json, code: '1'}\n"
TO = "ports: {out: {name: b, port: in}}"

PICKS = PRINTS.replace("payload", '"b"')

BOTH: dict[str, str] = {
    "session": f"set: {{x: {PRINTS}, y: {slow('1')}}}",
    "log": f"values: {{x: {PRINTS}}}, message: {slow('1')}",
    "switch": f"matches: [{{when: {NEVER}, port: out}}, {{when: {slow('1')}, port: out}}], {TO}",
    "call": f"targets: [b], choose: {PICKS}, args: {slow('1')}",
    "store": f"op: set, value: {PRINTS}, key: {slow('1')}",
}


@pytest.mark.parametrize("name", BOTH)
async def test_a_quick_program_beside_a_slow_one_runs_once(name: str) -> None:
    flow = f"- {{kind: {name}, name: a, {BOTH[name]}}}\n{HERE}"
    async with running(flow) as rt:
        answer = await rt.send("a", 1)
        assert answer == 1
        assert [one.data["text"] for one in rt.events.recent if one.event == "console"] == ["here"]


async def test_a_kind_that_forgets_to_wait_hears_what_to_do() -> None:
    flow = f"- {{kind: forgetful, name: a, code: {slow('1')}}}\n"
    async with running(flow, extensions=[kind("forgetful")]) as rt:
        answer = await rt.send("a", [1])
        assert isinstance(answer, Error)
        assert "await heddle.await_program" in answer.message


async def test_cel_on_what_no_worker_can_be_given_leaves_the_loop_too() -> None:
    when = "lists.range(1500).all(i, lists.range(1500).all(j, i >= 0)) && has(self.body)"
    flow = (
        f"- {{kind: if, name: a, when: '{when}', ports: {{out: {{name: b, port: in}}}}}}\n"
        "- {kind: nop, name: c}\n- {kind: snippet, name: b, language: cel, code: self.body}\n"
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield b"it"

    async with running(flow) as rt, beating() as heart:
        before = heart.beats
        answer = await rt.send("a", {"body": ByteStream(chunks())})
        # It runs in a thread, which shares the interpreter: turns are further apart.
        assert heart.beats - before >= BEATS // 4
        assert isinstance(answer, ByteStream)
        assert await answer.read() == b"it"


async def test_a_template_with_loops_leaves_the_loop_as_a_key() -> None:
    key = "{% for i in range(900) %}{% for j in range(900) %}{% endfor %}{% endfor %}{{ payload }}"
    flow = (
        "- {kind: dedupe, name: a, key: {language: jinja, code: '" + key + "'}, "
        "ports: {out: {name: b, port: in}}}\n- {kind: snippet, name: b, language: json, code: '1'}\n"
    )
    async with running(flow) as rt, beating() as heart:
        before = heart.beats
        assert await rt.send("a", 7) == 1
        assert heart.beats - before >= BEATS


async def test_a_request_is_still_one_when_its_programs_have_left() -> None:
    flow = f"""
- kind: listener
  name: listener
  port: 0
  ports: {{out: {{name: a, port: in}}}}
- kind: auth
  name: a
  basic: {{u: p}}
  allow: {slow('payload.auth.user === "u"')}
  ports: {{out: {{name: b, port: in}}}}
- kind: dedupe
  name: b
  key: {slow("payload.path")}
  ports: {{out: {{name: c, port: in}}, 'out[1]': {{name: d, port: in}}}}
- {{kind: snippet, name: c, language: cel, code: "{{'body': self.body}}"}}
- {{kind: snippet, name: d, language: cel, code: "{{'status': 409}}"}}
"""
    headers = {"Authorization": "Basic dTpw"}
    async with running(flow) as rt:
        port = port_of(rt)
        sent = [
            fetch(port, path, method="POST", headers=headers, body=f"body of {path}")
            for path in ("/1", "/2", "/1")
        ]
        one, two, again = await asyncio.gather(*sent)
        assert sorted([one.status, again.status]) == [200, 409]
        assert two.text == "body of /2"
