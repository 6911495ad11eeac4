"""keep_packet: what failed goes to the port error together with the packet."""

import json
from pathlib import Path
from typing import Any

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text
from tests.loops import anyio_backend as anyio_backend
from tests.support import Reply, fetch, port_of, running

pytestmark = pytest.mark.anyio

HEAD = "- {kind: listener, name: listener, port: 0, ports: {out: body}}\n"
BODY = "- {kind: snippet, name: body, language: cel, code: body, ports: {out: work}}\n"
SHOW = "- {kind: snippet, name: show, language: cel, code: \"{'status': 200, 'body': self}\"}\n"
FAIL = "{kind: snippet, name: fail, language: cel, code: 'self.missing'}"


async def post(rt: Any, data: Any) -> Reply:
    headers = {"Content-Type": "application/json"}
    return await fetch(port_of(rt), method="POST", headers=headers, body=json.dumps(data))


NODES = {
    "plain": "- {kind: snippet, name: work, language: cel, code: self.missing, %s}\n",
    "behind a plain one": (
        "- {kind: snippet, name: work, language: cel, code: self, ports: {out: last}}\n"
        "- {kind: snippet, name: last, language: cel, code: self.missing, %s}\n"
    ),
    "choosing": "- {kind: switch, name: work, matches: [{when: self.missing, port: 'out[0]'}], %s}\n",
    "waiting": "- {kind: http, name: work, url: 'http://127.0.0.1:1', timeout: 5s, %s}\n",
    "in a worker": (
        "- {kind: snippet, name: work, language: python, isolation: process, code: \"payload['x']\", %s}\n"
    ),
    "tried again": "- {kind: snippet, name: work, language: cel, code: self.missing, retry: 2, %s}\n",
    "in turns": "- {kind: snippet, name: work, language: cel, code: self.x, concurrency: 1, %s}\n",
    "try": f"- {FAIL}\n" + "- {kind: try, name: work, %s}\n",
    "pipe": f"- {FAIL}\n" + "- {kind: pipe, name: work, %s}\n",
    "call": f"- {FAIL}\n" + "- {kind: call, name: work, target: fail, %s}\n",
    "retry": f"- {FAIL}\n" + "- {kind: retry, name: work, attempts: 2, %s}\n",
}


@pytest.mark.parametrize("sort", NODES)
async def test_the_packet_goes_along_with_its_error(sort: str) -> None:
    targets = "error: show"
    if sort in ("try", "retry"):
        targets = "out: fail, error: show"
    elif sort == "pipe":
        targets = "'out[0]': fail, error: show"
    flow = HEAD + BODY + NODES[sort] % f"keep_packet: true, ports: {{{targets}}}" + SHOW
    async with running(flow) as rt:
        reply = await post(rt, {"id": 7})
    assert reply.status == 200, reply.body
    entry = json.loads(reply.body)
    assert entry.keys() == {"error", "packet"}
    assert entry["packet"] == {"id": 7}
    assert entry["error"].keys() == {"message", "code", "data", "symbol", "port"}
    assert entry["error"]["symbol"] in ("work", "last", "fail")
    assert entry["error"]["message"]


async def test_a_response_that_a_router_sends_to_error_stays_as_it_is() -> None:
    flow = (
        "- {kind: listener, name: listener, port: 0, ports: {out: router}}\n"
        "- {kind: router, name: router, keep_packet: true, ports: {error: lost},"
        " routes: [{method: GET, path: /known, to: lost}]}\n"
        "- {kind: snippet, name: lost, language: cel, code: \"{'body': string(self.status)}\"}\n"
    )
    async with running(flow) as rt:
        assert (await fetch(port_of(rt), "/unknown")).body == b"404"


async def test_what_does_not_fail_is_as_it_was() -> None:
    work = "- {kind: snippet, name: work, language: cel, code: self.id, %s}\n"
    flow = HEAD + BODY + work % "keep_packet: true, ports: {error: show}" + SHOW
    async with running(flow) as rt:
        assert (await post(rt, {"id": 7})).body == b"7"
        assert json.loads((await post(rt, {"x": 7})).body)["packet"] == {"x": 7}


async def test_without_it_the_error_comes_alone() -> None:
    flow = HEAD + BODY + NODES["plain"] % "ports: {error: say}"
    flow += "- {kind: snippet, name: say, language: cel, code: \"{'body': self.code}\"}\n"
    async with running(flow) as rt:
        assert (await post(rt, {"id": 7})).body == b"failed"


async def test_a_dead_letter_is_plain_data_that_a_file_keeps(tmp_path: Path) -> None:
    dead = f"- {{kind: file, name: show, root: '{tmp_path}', op: append, path: dead.jsonl,"
    dead += " format: json, newline: true}\n"
    flow = HEAD + BODY + NODES["plain"] % "keep_packet: true, ports: {error: show}" + dead
    async with running(flow) as rt:
        for number in (7, 8):
            assert (await post(rt, {"id": number, "text": "ä"})).status == 200
    lines = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
    assert [line["packet"] for line in lines] == [{"id": n, "text": "ä"} for n in (7, 8)]
    assert lines[0]["error"]["code"] == "failed"


def test_keeping_a_packet_for_nobody_is_a_problem() -> None:
    text = HEAD + BODY + NODES["plain"] % "keep_packet: true"
    reading = read_text(text, file="flow.yaml")
    problems = check_specs(reading.specs, ValueSet(()), installed(settings_of(None, ()))).problems
    assert [each.path for each in problems] == ["work.keep_packet"]
    assert "nothing is linked to error" in problems[0].found
