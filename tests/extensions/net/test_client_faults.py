"""What a client did wrong keeps its status, whichever node is the first that reads the request."""

import pytest

from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

FRONT = """
- {kind: listener, name: listener, port: 0, limits: {body: 100}, ports: {out: {name: node}}}
"""
END = "- {kind: snippet, name: end, language: text, code: done}\n"
ON = "ports: {out: {name: end}}"
JS = "- {kind: snippet, name: deep, language: javascript, code: 'export default (p) => p.body'}\n"
PY = "\"def main(p):\\n    return p['body']\""


def snippet(language: str, code: str, more: str = "") -> str:
    return f"- {{kind: snippet, name: node, language: {language}, {more} code: {code}}}\n"


READERS = {
    "cel": snippet("cel", "self.body"),
    "cel field": snippet("cel", "body.x"),
    "javascript": snippet("javascript", "'export default (p) => p.body'"),
    "javascript unread": snippet("javascript", "'export default (p) => 1'"),
    "typescript": snippet("typescript", "'export default (p: any) => p.body'"),
    "python": snippet("python", PY),
    "python wraps": snippet(
        "python",
        "\"def main(p):\\n    try:\\n        return p['body']\\n    except ValueError as e:\\n"
        "        raise RuntimeError('x') from e\"",
    ),
    "python apart": snippet("python", PY, "isolation: process,"),
    "javascript apart": snippet(
        "javascript", "'export default (p) => p.body'", "isolation: process,"
    ),
    "jinja": snippet("jinja", "'{{ self.body }}'"),
    "jsonata": snippet("jsonata", "body"),
    "if": f"- {{kind: if, name: node, when: self.body == 1, {ON}}}\n" + END,
    "if in javascript": (
        f"- {{kind: if, name: node, when: {{code: self.body == 1, language: javascript}}, {ON}}}\n"
        + END
    ),
    "switch": (
        "- {kind: switch, name: node, matches: [{when: self.body == 1, port: 'out[0]'}],"
        " ports: {'out[0]': {name: end}}}\n" + END
    ),
    "for": f"- {{kind: for, name: node, {ON}}}\n" + END,
    "reduce": "- {kind: reduce, name: node, each: total}\n",
    "print": f"- {{kind: print, name: node, {ON}}}\n" + END,
    "log": f"- {{kind: log, name: node, values: {{x: self.body}}, {ON}}}\n" + END,
    "log message": f"- {{kind: log, name: node, message: string(self.body), {ON}}}\n" + END,
    "cache key": f"- {{kind: cache, name: node, key: self.body, {ON}}}\n" + END,
    "cache": f"- {{kind: cache, name: node, {ON}}}\n" + END,
    "throttle": f"- {{kind: throttle, name: node, count: 9, key: self.body, {ON}}}\n" + END,
    "dedupe": f"- {{kind: dedupe, name: node, key: self.body, {ON}}}\n" + END,
    "collect": f"- {{kind: collect, name: node, count: 1, key: self.body, {ON}}}\n" + END,
    "session": f"- {{kind: session, name: node, set: {{a: self.body}}, {ON}}}\n" + END,
    "http": "- {kind: http, name: node, url: 'http://127.0.0.1:1', retry: 1}\n",
    "sql": (
        "- {kind: sql, name: node, driver: sqlite, source: ':memory:', statement: SELECT ?,"
        " args: '[self.body]'}\n"
    ),
    "throw": "- {kind: throw, name: node}\n",
    "behind try": "- {kind: try, name: node, ports: {out: {name: deep}}}\n" + JS,
    "behind try, thrown": (
        "- {kind: try, name: node, ports: {out: {name: deep}, error: {name: again}}}\n"
        "- {kind: throw, name: again}\n" + JS
    ),
    "behind retry": "- {kind: retry, name: node, ports: {out: {name: deep}}}\n" + JS,
    "behind breaker": "- {kind: breaker, name: node, ports: {out: {name: deep}}}\n" + JS,
    "behind pipe": (
        "- {kind: pipe, name: node, ports: {'out[0]': {name: deep}, 'out[1]': {name: end}}}\n"
        + JS
        + END
    ),
    "behind cookies": "- {kind: cookies, name: node, ports: {out: {name: deep}}}\n" + JS,
    "behind several": (
        "- {kind: if, name: node, when: 'true', ports: {out: [{name: deep}, {name: two}]}}\n"
        "- {kind: snippet, name: two, language: cel, code: self.body}\n" + JS
    ),
}

FAULTS = [
    ({"Content-Type": "application/json"}, '{"a":', 400),
    ({"Content-Type": "application/json", "Content-Encoding": "odd"}, "{}", 415),
    ({"Content-Type": "text/plain; charset=nowhere"}, "x", 415),
    ({"Content-Type": "multipart/form-data"}, "x", 400),
]


@pytest.mark.parametrize("reader", READERS)
async def test_a_body_that_cannot_be_read_is_the_clients_fault(reader: str) -> None:
    async with running(FRONT + READERS[reader]) as rt:
        for headers, body, status in FAULTS:
            reply = await fetch(port_of(rt), method="POST", headers=headers, body=body)
            assert (reply.status, headers) == (status, headers)


async def test_a_flow_that_fails_for_reason_of_its_own_is_still_500() -> None:
    flow = snippet("python", "\"def main(p):\\n    raise ValueError('mine')\"")
    async with running(FRONT + flow) as rt:
        reply = await fetch(
            port_of(rt), method="POST", headers={"Content-Type": "application/json"}, body="{"
        )
        assert reply.status == 500
