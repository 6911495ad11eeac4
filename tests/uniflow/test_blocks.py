"""uniflow's ping, and the flows of its node documentation, load as they stand.

`blocks/` holds the flows that uniflow's pages about its nodes show, one file a page, as data. What
differs is listed here, and `docs/uniflow.md` gives the reason for each.
"""

import re
from pathlib import Path

import pytest

from heddle.extensions.testing.runner import Runner
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from heddle.specs.yaml.document import read_text
from tests.docs.fences import ROOT
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
BLOCKS = {path.stem: path.read_text() for path in sorted((HERE / "blocks").glob("*.yaml"))}

DROPPED = {
    "cache": {"unknown-field"},
    "call": {"invalid"},
    "nop": {"unknown-field"},
    "print": {"unknown-field"},
    "proxy": {"unknown-field"},
    "reduce": {"unknown-field"},
    "session": {"invalid"},
    "signal": {"missing", "unknown-field"},
    "websocket": {"unknown-field", "unknown-kind"},
}
"""Pages that show a kind uniflow itself no longer has, and what is said of them."""

MISTAKEN = {"listener": {"missing", "unknown-field"}}
"""Pages whose flow uniflow does not run either."""

SLIPS = {"for", "fork", "if", "merge"}
"""Pages that lead to the out port of somebody; uniflow drops such a link without a word."""

WAITING = re.compile(r'^waits for "|^"\w+" is not active')

LOADED = [name for name in BLOCKS if name not in {*DROPPED, *MISTAKEN}]
COMPLETE = [name for name in LOADED if name not in SLIPS]


def specs(text: str) -> list[Spec]:
    return list(read_text(text, file="block.yaml").specs)


def strangers(text: str) -> str:
    """Return a `nop` for everybody that a flow leads to and does not show."""
    there = {spec.name for spec in specs(text)}
    wanted = {link.name for spec in specs(text) for links in spec.ports.values() for link in links}
    return "".join(f"- {{kind: nop, name: {name}}}\n" for name in sorted(wanted - there, key=str))


def freed(text: str) -> str:
    """Return the flow on a port that is free."""
    return text.replace("port: 8000", "port: 0")


def left(rt: Runtime) -> dict[str, list[str]]:
    """Return the symbols that are not active, and why."""
    return {
        one.name or one.kind: list(one.reasons)
        for one in rt.status().symbols
        if one.state != "active"
    }


@pytest.mark.parametrize("name", LOADED)
async def test_a_flow_of_the_node_documentation_loads_unchanged(name: str) -> None:
    async with running(freed(BLOCKS[name])) as rt:
        assert not [str(problem) for problem in rt.status().problems]
        # Whoever is not active waits for somebody whom the page does not show, and says so.
        waits = [why for reasons in left(rt).values() for why in reasons]
        assert [why for why in waits if not WAITING.search(why)] == []


@pytest.mark.parametrize("name", COMPLETE)
async def test_with_whom_it_leads_to_it_is_active(name: str) -> None:
    async with running(freed(BLOCKS[name]), strangers(BLOCKS[name])) as rt:
        assert not [str(problem) for problem in rt.status().problems]
        assert left(rt) == {}


@pytest.mark.parametrize("name", sorted(SLIPS))
async def test_a_link_to_an_out_port_is_told_where_uniflow_drops_it(name: str) -> None:
    async with running(BLOCKS[name], strangers(BLOCKS[name])) as rt:
        told = [str(problem) for problem in rt.status().problems]
        assert told
        assert all('has no port "out"' in text for text in told)


@pytest.mark.parametrize(("name", "codes"), [*DROPPED.items(), *MISTAKEN.items()])
async def test_what_differs_is_a_problem_and_has_its_reason_in_the_docs(
    name: str, codes: set[str]
) -> None:
    page = (ROOT / "docs" / "uniflow.md").read_text(encoding="utf-8")
    reasons = page[page.index("## Flows of its documentation") :]
    assert re.search(rf"^\| [^|]*`{name}`[^|]* \|", reasons, re.MULTILINE)
    async with running(freed(BLOCKS[name])) as rt:
        assert {problem.code for problem in rt.status().problems} == codes


async def test_ping_answers() -> None:
    text = (HERE / "ping.yaml").read_text()
    async with running(text, environment={"PORT": 0}) as rt:
        assert left(rt) == {}
        reply = await fetch(port_of(rt), "/ping")
        assert (reply.status, reply.text) == (200, "pong")
        assert (await fetch(port_of(rt), "/pong")).status == 404


async def test_its_tests_pass() -> None:
    for name in ("assert", "assert-javascript", "assert-target"):
        async with running(BLOCKS[name]) as rt:
            [result] = await Runner(rt).run()
            assert (result.result, result.message) == ("passed", "")


async def test_what_its_sql_page_inserts_is_one_argument_too_many() -> None:
    table = """
- kind: sql
  name: table
  driver: sqlite3
  source: file::memory:?cache=shared
  statement: CREATE TABLE USERS (name TEXT)
"""
    async with running(BLOCKS["sql"], table, "- {kind: nop, name: next}") as rt:
        await rt.send("table", {})
        [begin] = [one.id for one in rt.status().symbols if one.kind == "snippet"]
        answer = await rt.send(begin, {})
        assert isinstance(answer, Error)
        assert answer.message == "the statement wants 1 argument; found 2"


async def test_its_snippet_answers_an_error_as_its_page_says() -> None:
    flow = BLOCKS["snippet"].replace("- kind: snippet\n", "- kind: snippet\n  name: catch\n", 1)
    rest = "- {kind: try, name: begin, ports: {out: {name: fail}, error: {name: catch}}}\n- {kind: throw, name: fail}\n"
    async with running(flow, rest) as rt:
        assert await rt.send("begin", "sold out") == {"status": 400, "body": {"error": "sold out"}}
