"""One spec is one test: what it sends, what it expects, and which nodes are mocked."""

from pathlib import Path

import msgspec
import pytest

from heddle.extensions.testing.runner import FAILED, LEFT_OUT, PASSED, Result, Runner
from heddle.runtime.runtime import Runtime
from tests.extensions.test_every_program import slow
from tests.support import running

pytestmark = pytest.mark.anyio

SHOP = """
- kind: listener
  name: shop
  port: 0
  cors: {origins: ['https://shop.example']}
  ports: {out: routes, error: broken}
- kind: router
  name: routes
  routes:
    - {method: GET, path: '/orders/{id:integer}', to: read}
    - {method: POST, path: /orders, to: create}
    - {method: GET, path: /fails, to: fails}
- {kind: snippet, name: read, language: cel, code: "{'id': params.id, 'limit': query.limit[0]}"}
- {kind: call, name: create, target: stock, ports: {out: respond}}
- {kind: snippet, name: stock, language: cel, code: "{'sku': body.sku, 'left': 7}"}
- {kind: respond, name: respond, status: 201, body: self}
- {kind: snippet, name: fails, language: cel, code: 1 / 0}
- {kind: snippet, name: broken, language: cel, code: "{'status': 503, 'body': 'try again'}"}
"""


async def ends(*texts: str, update: bool = False) -> list[Result]:
    """Return how the tests in these texts end."""
    async with running(*texts) as rt:
        return await Runner(rt, limit=5.0, update=update).run()


def trial(fields: str) -> str:
    """Return a test with these fields."""
    return f"- kind: test\n  name: t\n  {fields.strip()}\n"


@pytest.mark.parametrize(
    ("send", "expect"),
    [
        ("{path: /orders/7, query: {limit: 20}}", "self.body == {'id': 7, 'limit': '20'}"),
        ("{path: '/orders/7?limit=3'}", "self.body.limit == '3' && self.status == 200"),
        ("{method: POST, path: /orders, body: {sku: a}}", "self.status == 201"),
        ("{method: post, path: /orders, body: {sku: a}}", "self.body == {'sku': 'a', 'left': 7}"),
        ("{path: /orders/x}", "self.status == 404"),
        ("{method: PUT, path: /orders}", "self.header['Allow'][0] == 'OPTIONS, POST'"),
        ("{path: /fails}", "[self.status == 503, self.body == 'try again']"),
        (
            "{path: /fails, header: {Origin: 'https://shop.example'}}",
            "self.header['Access-Control-Allow-Origin'] == ['https://shop.example']",
        ),
        (
            "{method: POST, path: /orders, header: {Content-Type: application/json}, body: '{\"sku\"'}",
            "self.status == 503",
        ),
    ],
)
async def test_a_request_goes_through_the_flow_of_the_listener(send: str, expect: str) -> None:
    quoted = expect if expect.startswith("[") else f'"{expect}"'
    [one] = await ends(SHOP, trial(f"send: {send}\n  expect: {quoted}"))
    assert (one.result, one.message) == (PASSED, "")


async def test_an_answer_that_is_not_expected_is_explained() -> None:
    test = 'send: {path: /orders/7, query: {limit: 1}}\n  expect: "self.body.id == 8"'
    [one] = await ends(SHOP, trial(test))
    assert one.result == FAILED
    assert one.message.startswith("expected self.body.id == 8, found 7; payload: ")


async def test_a_packet_goes_to_the_node_that_out_is_linked_to() -> None:
    flow = "- {kind: snippet, name: double, language: cel, code: self * 2}\n"
    [one] = await ends(flow, trial("send: 21\n  expect: self == 42\n  ports: {out: double}"))
    assert (one.result, one.message) == (PASSED, "")


STOP = """
- kind: snippet
  name: stop
  language: python
  code: |
    from heddle import Error, NodeError
    def main(payload):
        raise NodeError(Error("nothing left", code="empty"))
"""


@pytest.mark.parametrize("field", ["expect", "fails"])
async def test_a_condition_that_would_hold_the_loop_is_awaited(field: str) -> None:
    flow = (
        STOP if field == "fails" else "- {kind: snippet, name: stop, language: cel, code: self}\n"
    )
    test = f"send: 1\n  {field}: {slow('true')}\n  ports: {{out: stop}}"
    [one] = await ends(flow, trial(test))
    assert (one.result, one.message) == (PASSED, "")


@pytest.mark.parametrize(
    ("fails", "result", "message"),
    [
        ("self.code == 'empty'", PASSED, ""),
        ("self.code == 'full'", FAILED, "expected self.code == 'full', found \"empty\""),
    ],
)
async def test_a_failure_is_expected_as_well(fails: str, result: str, message: str) -> None:
    [one] = await ends(STOP, trial(f'send: 1\n  fails: "{fails}"\n  ports: {{out: stop}}'))
    assert one.result == result
    assert one.message.startswith(message)


async def test_an_answer_where_a_failure_is_expected_fails_the_test() -> None:
    flow = "- {kind: snippet, name: same, language: cel, code: self}\n"
    [one] = await ends(flow, trial('send: 1\n  fails: "true"\n  ports: {out: same}'))
    assert (one.result, one.message) == (FAILED, "expected an Error, found 1")


async def test_an_error_fails_a_test_that_expects_an_answer() -> None:
    [one] = await ends(STOP, trial('send: 1\n  expect: "true"\n  ports: {out: stop}'))
    assert (one.result, one.message) == (FAILED, "stop: nothing left")


async def test_another_node_stands_in_for_a_mocked_one() -> None:
    fake = "- {kind: snippet, name: fake, language: cel, code: \"{'sku': body.sku, 'left': 0}\"}\n"
    send = "send: {method: POST, path: /orders, body: {sku: a}}"
    mocked = f"{send}\n  mocks: {{stock: {{with: {{name: fake}}}}}}\n  expect: self.body.left == 0"
    [one] = await ends(SHOP, fake, trial(mocked))
    assert (one.result, one.message) == (PASSED, "")
    [one] = await ends(SHOP, trial(mocked))
    assert one.message.startswith('mocks: there is no node "fake"')


async def test_a_stand_in_that_fails_fails_as_its_node_does() -> None:
    fake = "- {kind: throw, name: fake}\n"
    node = (
        "- {kind: snippet, name: stock, language: cel, code: self, ports: {error: say}}\n"
        "- {kind: snippet, name: say, language: cel, code: \"'no: ' + self.message\"}\n"
    )
    fields = "send: 1\n  mocks: {stock: {with: {name: fake}}}\n  expect: \"self == 'no: 1'\""
    [one] = await ends(fake, node, trial(f"{fields}\n  ports: {{out: stock}}"))
    assert (one.result, one.message) == (PASSED, "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("send: 1\n  expect: self == 1", "nothing is linked to out[0], and send is no request"),
        ("send: {path: /, listener: b}\n  expect: 'true'", 'a request has no "listener"'),
        ("send: {path: x}", "send: path: 'x' (expected: text that begins with /)"),
        ("send: {path: /}\n  listener: shpo", 'there is no active listener "shpo"'),
    ],
)
async def test_a_request_that_cannot_be_sent_says_why(fields: str, message: str) -> None:
    [one] = await ends(SHOP, trial(fields))
    assert one.result == FAILED
    assert message in one.message


STREAMS = """
- {kind: listener, name: shop, port: 0, ports: {out: run}}
- kind: snippet
  name: run
  language: python
  code: |
    def main(request):
        number = 0
        while request["path"] != "/bad" or number < 2:
            number += 1
            yield number
            if request["path"] == "/short" and number == 2:
                return
        raise KeyError("x")
"""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("send: {path: /short}, ports: {out: run}, expect: 'self == [1, 2]'", ""),
        ("send: {path: /short}, expect: 'size(self.body) == 4'", ""),
        ("send: {path: /bad}, ports: {out: run}, fails: \"self.message.contains('KeyError')\"", ""),
        ("send: {path: /bad}, ports: {out: run}, expect: 'true'", "line 8: KeyError"),
        ("send: {path: /}, ports: {out: run}, expect: 'true'", "more than 100000 items"),
        ("send: {path: /}, expect: 'true'", "more than 16777216 bytes"),
    ],
)
async def test_a_streamed_answer_is_read_to_its_end(fields: str, message: str) -> None:
    [result] = await ends(STREAMS, f"- {{kind: test, name: t, limit: 60s, {fields}}}")
    assert result.result == ("failed" if message else "passed")
    assert message in result.message


@pytest.mark.parametrize("ports", ["", ", ports: {out: run}"])
async def test_a_stream_that_never_ends_fails_at_the_limit(ports: str) -> None:
    silent = STREAMS.replace(
        "yield number", "yield number\n            await asyncio.Event().wait()"
    )
    silent = silent.replace("def main", "import asyncio\n    async def main")
    one = f"- {{kind: test, name: t, limit: 100ms, send: {{path: /}}, expect: 'true'{ports}}}"
    [result] = await ends(silent, one)
    assert "expected an answer within 0.1 s, found none" in result.message


async def test_of_several_listeners_one_is_named() -> None:
    other = "- {kind: listener, name: other, port: 0, ports: {out: pong}}\n"
    pong = "- {kind: snippet, name: pong, language: text, code: pong}\n"
    fields = "send: {path: /}\n  expect: self.body == 'pong'"
    [one] = await ends(SHOP, other, pong, trial(fields))
    assert "2 listeners (other, shop)" in one.message
    [one] = await ends(SHOP, other, pong, trial(f"{fields}\n  listener: other"))
    assert (one.result, one.message) == (PASSED, "")


async def test_an_answer_is_compared_with_a_golden_file(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    test = (
        "send: {path: /orders/7, query: {limit: 1}}\n"
        "  expect: {golden: order.json, ignore: [/header, /body/limit]}"
    )
    file.write_text(SHOP + trial(test))

    async def one(*, update: bool = False) -> Result:
        async with Runtime(store=str(tmp_path)) as rt:
            assert not rt.status().problems
            [result] = await Runner(rt, update=update).run()
            return result

    golden = tmp_path / "golden" / "order.json"
    missing = await one()
    assert missing.result == FAILED
    assert "heddle test --update writes it" in missing.message
    assert (await one(update=True)).result == PASSED
    assert msgspec.json.decode(golden.read_bytes()) == {"status": 200, "body": {"id": 7}}
    assert (await one()).result == PASSED
    golden.write_text('{"status": 200, "body": {"id": 8}}')
    changed = await one()
    assert changed.result == FAILED
    assert '-    "id": 8\n+    "id": 7' in changed.message
    golden.write_text("{")
    assert "is not JSON" in (await one()).message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "send: 1\n  expect: {goldn: a}",
            'unknown field (expected: golden and ignore). Did you mean "golden"?',
        ),
        ("send: 1\n  expect: {golden: ../a.json}", "expected: a path below `golden`"),
        ("send: 1\n  expect: []", "an empty list"),
        ("send: 1\n  expect: {golden: a.json, ignore: [id]}", "expected: a JSON Pointer"),
        ("send: 1\n  expect: self == \n  fails: 'true'", "both expect and fails"),
        ("send: 1\n  expect: [self ==]", "t.expect[0]"),
        ("listener: shop", "a listener without a request"),
    ],
)
async def test_what_a_test_cannot_mean_is_a_problem(fields: str, message: str) -> None:
    [one] = await ends(SHOP, trial(fields))
    assert one.result == LEFT_OUT
    assert message in one.message
