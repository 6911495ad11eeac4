"""The listener and the router, over real sockets: requests in, responses out, live changes between."""

import asyncio
import json
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from heddle.extensions.extension import ByteStream, Extension, Process, about, node
from heddle.extensions.net import certificate
from heddle.runtime.assembly.codec import Kind
from heddle.runtime.assembly.rollout import ShiftError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.node import Action, Node
from heddle.schemas.field import Fields
from heddle.schemas.port import IN, OUT
from heddle.schemas.schema import Schema
from tests.support import change, degraded, fetch, parsed, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

LISTENER = """
- kind: listener
  name: listener
  port: 0
  ports:
    out: [{name: first, port: in}]
"""


def answering(code: str, language: str = "cel") -> str:
    """Return a listener in front of one snippet."""
    return (
        LISTENER
        + f"- kind: snippet\n  name: first\n  language: {language}\n  code: |-\n    {code}\n"
    )


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "kind", "body"),
    [
        ("'hi'", 200, "text/plain; charset=utf-8", b"hi"),
        ("{'a': 1}", 200, "application/json", b'{"a":1}'),
        ("[1, 2]", 200, "application/json", b"[1,2]"),
        ("null", 200, "application/json", b"null"),
        ("{'status': 201, 'body': {'id': 7}}", 201, "application/json", b'{"id":7}'),
        (
            "{'status': 'shipped', 'order': 7}",
            200,
            "application/json",
            b'{"status":"shipped","order":7}',
        ),
        ("{'body': 'x', 'header': {'Content-Type': ['text/css']}}", 200, "text/css", b"x"),
    ],
)
async def test_what_a_flow_answers_is_the_response(
    code: str, status: int, kind: str, body: bytes
) -> None:
    async with running(answering(code)) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (status, kind, body)


async def test_a_request_reads_as_a_map() -> None:
    code = "[method, path, query.q[0], header['X-Test'][0], body.n, string(remote != '')]"
    async with running(answering(code)) as rt:
        reply = await fetch(
            port_of(rt),
            "/a%20b?q=1%2B1",
            method="POST",
            headers={"X-Test": "yes", "Content-Type": "application/json"},
            body='{"n": 5}',
        )
    assert json.loads(reply.body) == ["POST", "/a b", "1+1", "yes", 5, "true"]


async def test_cookies_and_cors_headers_reach_the_client() -> None:
    code = (
        "{'body': '', 'header': {'Set-Cookie': ['a=1', 'b=2'],"
        " 'Access-Control-Allow-Origin': ['*']}}"
    )
    async with running(answering(code)) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = await reader.read()
        writer.close()
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in raw
    assert b"Access-Control-Allow-Origin: *\r\n" in raw


async def test_nothing_is_answered_as_no_content() -> None:
    async with running(LISTENER + "- {kind: nop, name: first}") as rt:
        assert (await fetch(port_of(rt))).status == 204


async def test_a_listener_without_a_link_does_not_echo_the_request() -> None:
    async with running("- {kind: listener, name: listener, port: 0}") as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.body) == (204, b"")


async def test_an_error_is_a_500_without_detail_and_is_told_with_detail() -> None:
    async with running(answering("1 / 0")) as rt:
        told = asyncio.ensure_future(rt.events.wait())
        await asyncio.sleep(0)
        reply = await fetch(port_of(rt), "/secret")
        async with asyncio.timeout(60):
            event = await told
    assert (reply.status, reply.text) == (500, "Internal Server Error")
    assert "zero" in event.reason
    assert "first" in event.reason
    assert event.data["request"] == "GET /secret"
    assert event.level == "error"


async def test_an_error_port_decides_the_response() -> None:
    flow = """
- kind: listener
  name: listener
  port: 0
  ports:
    out: [{name: boom, port: in}]
    error: [{name: excuse, port: in}]
- {kind: throw, name: boom}
- kind: snippet
  name: excuse
  language: cel
  code: "{'status': 503, 'body': {'error': string(self)}}"
"""
    async with running(flow) as rt:
        reply = await fetch(port_of(rt), method="POST", body="later")
    assert reply.status == 503
    assert "error" in json.loads(reply.body)


async def test_malformed_json_is_a_400_when_the_flow_reads_it() -> None:
    async with running(answering("body.n")) as rt:
        reply = await fetch(
            port_of(rt), method="POST", headers={"Content-Type": "application/json"}, body="{oops"
        )
    assert reply.status == 400


@pytest.mark.parametrize("code", ["body.a", "{'body': body}", "{'body': [body]}"])
@pytest.mark.parametrize(
    ("header", "status"),
    [({}, 400), ({"Content-Encoding": "rot13"}, 415)],
)
async def test_what_a_client_does_wrong_is_one_line_for_debugging(
    code: str, header: dict[str, str], status: int
) -> None:
    async with running(answering(code)) as rt:
        told = asyncio.ensure_future(rt.events.wait())
        await asyncio.sleep(0)
        headers = {"Content-Type": "application/json", **header}
        reply = await fetch(port_of(rt), "/x", method="POST", headers=headers, body="{nope")
        async with asyncio.timeout(60):
            event = await told
    assert reply.status == status
    assert (event.event, event.level, event.detail) == ("a bad request", "debug", "")
    assert event.data == {"request": "POST /x", "status": status}
    assert "\n" not in event.reason


async def test_a_flow_that_does_not_read_the_body_does_not_mind_it() -> None:
    async with running(answering("'fine'")) as rt:
        reply = await fetch(
            port_of(rt), method="POST", headers={"Content-Type": "application/json"}, body="{oops"
        )
    assert reply.status == 200


# -- processes ------------------------------------------------------------------------------------


class Held(Node):
    """Holds every packet until it is let go, and notes how its processes end."""

    def __init__(self) -> None:
        self.entered: asyncio.Queue[Process] = asyncio.Queue()
        self.let_go = asyncio.Event()
        self.ends: asyncio.Queue[Error | None] = asyncio.Queue()

    def handler(self, port: str) -> Action | None:
        return Action(self._act, waits=True, process=True) if port == "in" else None

    async def _act(self, payload: Any, process: Process) -> Any:
        process.on_exit(self.ends.put_nowait)
        self.entered.put_nowait(process)
        await self.let_go.wait()
        return {"body": "done", "status": int(payload["query"].get("status", ["200"])[0])}


class NoFields(Fields):
    """Nothing to say."""


def held(made: Held) -> Kind[Any]:
    """Return the kind of one held node."""
    schema = Schema(kind="held", fields=NoFields, summary="Holds.", ins=(IN,), outs=(OUT,))
    return Kind(schema, lambda fields, build: made)


async def test_a_client_that_hangs_up_cancels_its_process() -> None:
    made = Held()
    async with running(LISTENER + "- {kind: held, name: first}", extensions=[held(made)]) as rt:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(60):
            await made.entered.get()
            writer.close()
            error = await made.ends.get()
    assert error is not None
    assert error.code == "cancelled"


@pytest.mark.parametrize(("status", "good"), [("200", True), ("404", False), ("500", False)])
async def test_exit_hooks_learn_of_the_status_before_the_client_does(
    status: str, good: bool
) -> None:
    made = Held()
    made.let_go.set()
    async with running(LISTENER + "- {kind: held, name: first}", extensions=[held(made)]) as rt:
        reply = await fetch(port_of(rt), f"/?status={status}")
        error = made.ends.get_nowait()
    assert reply.status == int(status)
    assert (error is None) is good


async def test_a_failing_exit_hook_turns_the_reply_into_a_500() -> None:
    def reject(_error: Error | None) -> None:
        raise RuntimeError("the commit failed")

    def act(payload: Any, process: Process) -> Any:
        process.on_exit(reject)
        return "done"

    class Commits(Node):
        def handler(self, port: str) -> Action | None:
            return Action(act, process=True) if port == "in" else None

    schema = Schema(kind="commits", fields=NoFields, summary="Commits.", ins=(IN,), outs=(OUT,))
    kind = Kind(schema, lambda fields, build: Commits())
    async with running(LISTENER + "- {kind: commits, name: first}", extensions=[kind]) as rt:
        reply = await fetch(port_of(rt))
    assert reply.status == 500


async def test_a_streamed_answer_keeps_its_process_until_it_is_sent() -> None:
    ended: list[bool] = []

    class Streams(Node):
        def handler(self, port: str) -> Action | None:
            return Action(self._act, process=True) if port == "in" else None

        def _act(self, payload: Any, process: Process) -> Any:
            process.on_exit(lambda error: ended.append(error is None))

            async def chunks() -> AsyncIterator[bytes]:
                for part in (b"one ", b"two ", b"three"):
                    await asyncio.sleep(0)
                    assert not ended
                    yield part

            return {"body": ByteStream(chunks()), "header": {"Content-Type": ["text/plain"]}}

    schema = Schema(kind="streams", fields=NoFields, summary="Streams.", ins=(IN,), outs=(OUT,))
    kind = Kind(schema, lambda fields, build: Streams())
    async with running(LISTENER + "- {kind: streams, name: first}", extensions=[kind]) as rt:
        reply = await fetch(port_of(rt))
        assert not rt.processes
    assert reply.body == b"one two three"
    assert ended == [True]


async def test_a_request_body_can_be_read_as_it_arrives() -> None:
    @node("measure")
    async def measure(payload: Any) -> Any:
        """Count the bytes of a streamed body."""
        return str(sum([len(chunk) async for chunk in payload["body"]]))

    flow = LISTENER.replace("port: 0", "port: 0\n  stream: true") + "- {kind: measure, name: first}"
    async with running(flow, extensions=[measure]) as rt:
        reply = await fetch(port_of(rt), method="POST", body=b"x" * 300_000)
    assert reply.text == "300000"


async def test_a_flow_that_takes_too_long_is_answered_504_and_cancelled() -> None:
    made = Held()
    flow = LISTENER.replace("port: 0", "port: 0\n  limits: {answer_timeout: 50ms}")
    async with running(flow + "- {kind: held, name: first}", extensions=[held(made)]) as rt:
        reply = await fetch(port_of(rt))
        async with asyncio.timeout(60):
            error = await made.ends.get()
    assert reply.status == 504
    assert error is not None


# -- changes while it serves ------------------------------------------------------------------------


async def test_a_request_in_flight_finishes_on_the_wiring_it_began_with() -> None:
    made = Held()
    flow = """
- kind: listener
  name: listener
  port: 0
  ports: {out: {name: first, port: in}}
- {kind: held, name: first, ports: {out: {name: last, port: in}}}
"""
    last = "- {{kind: snippet, name: last, language: text, code: {}}}"
    async with running(flow + last.format("old"), extensions=[held(made)]) as rt:
        asked = asyncio.ensure_future(fetch(port_of(rt)))
        async with asyncio.timeout(60):
            await made.entered.get()
        await change(rt, last.format("new"))
        made.let_go.set()
        assert (await asked).text == "old"
        assert (await fetch(port_of(rt))).text == "new"


async def test_changing_a_leaf_never_touches_the_listener() -> None:
    async with running(answering("'old'")) as rt:
        port, before = port_of(rt), rt.table.get("listener")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for expected in (b"old", b"new"):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"200 OK" in head
            assert await reader.readexactly(3) == expected
            if expected == b"old":
                await change(rt, "- {kind: snippet, name: first, language: text, code: new}")
        writer.close()
        assert rt.table.get("listener") is before


async def test_a_changed_listener_hands_over_its_socket_and_its_connections() -> None:
    async with running(answering("'ok'")) as rt:
        port, before = port_of(rt), rt.table.get("listener")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await change(rt, LISTENER.replace("port: 0", "port: 0\n  limits: {body: 10B}"))
        assert rt.table.get("listener") is not before
        assert port_of(rt) == port
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world")
        assert b" 413 " in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_a_listener_that_moves_serves_at_its_new_address_and_closes_old() -> None:
    flow = answering("'ok'")
    async with running(flow) as rt:
        old = port_of(rt)
        await change(rt, LISTENER.replace("port: 0", "port: 0\n  host: localhost"))
        new = port_of(rt)
        assert new != old
        assert (await fetch(new)).text == "ok"
        with pytest.raises(ConnectionRefusedError):
            await fetch(old)


async def test_a_listener_whose_port_is_taken_is_rejected_and_old_goes_on() -> None:
    async with running(answering("'ok'")) as rt:
        taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        await change(rt, LISTENER.replace("port: 0", f"port: {port}"))
        rejected = rt.events.recent[-1]
        taken.close()
        assert rejected.event == "change rejected"
        assert "cannot begin: cannot listen on" in rejected.problems[0].found
        assert str(port) in str(rejected.problems[0])
        assert (await fetch(port_of(rt))).text == "ok"


async def test_a_change_that_is_rejected_after_adoption_gives_the_socket_back() -> None:
    async with running(answering("'ok'")) as rt:
        before = rt.table.get("listener")
        port = port_of(rt)
        await change(
            rt,
            LISTENER.replace("port: 0", "port: 0\n  limits: {body: 10B}")
            + "    active: [{name: boom, port: in}]\n- {kind: throw, name: boom}",
        )
        assert rt.events.recent[-1].event == "change rejected"
        assert rt.table.get("listener") is before
        assert port_of(rt) == port
        assert (await fetch(port, method="POST", body="longer than ten")).text == "ok"


async def test_a_port_in_use_at_the_start_is_one_clear_error() -> None:
    taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(ShiftError) as raised:
        async with running(f"- {{kind: listener, name: listener, port: {port}}}"):
            pass
    taken.close()
    assert str(port) in str(raised.value)
    assert "flow.yaml" in str(raised.value)


async def test_stopping_answers_what_is_in_flight() -> None:
    made = Held()
    async with running(LISTENER + "- {kind: held, name: first}", extensions=[held(made)]) as rt:
        asked = asyncio.ensure_future(fetch(port_of(rt)))
        async with asyncio.timeout(60):
            await made.entered.get()
        closing = asyncio.ensure_future(rt.close())
        await asyncio.sleep(0)
        made.let_go.set()
        assert (await asked).text == "done"
        await closing


# -- TLS --------------------------------------------------------------------------------------------


async def test_https_with_a_certificate_that_changes_live(tmp_path: Path) -> None:
    def flow(ca: trustme.CA) -> str:
        made = ca.issue_cert("localhost")
        cert = made.cert_chain_pems[0].bytes().decode()
        key = made.private_key_pem.bytes().decode()
        pem = json.dumps({"cert": cert, "key": key})
        return LISTENER.replace("port: 0", f"port: 0\n  tls: {pem}")

    first, second = trustme.CA(), trustme.CA()
    leaf = "- {kind: snippet, name: first, language: text, code: ok}"
    async with running(flow(first) + leaf) as rt:
        port = port_of(rt)
        assert await secure(port, first) == b"ok"
        await change(rt, flow(second))
        assert port_of(rt) == port
        assert await secure(port, second) == b"ok"
        with pytest.raises(ssl.SSLCertVerificationError):
            await secure(port, first)


async def test_certificate_files_that_change_are_read_again(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def write(ca: trustme.CA) -> None:
        made = ca.issue_cert("localhost")
        key.write_bytes(made.private_key_pem.bytes())
        cert.write_bytes(made.cert_chain_pems[0].bytes())

    first, second = trustme.CA(), trustme.CA()
    write(first)
    pem = json.dumps({"cert": str(cert), "key": str(key)})
    flow = LISTENER.replace("port: 0", f"port: 0\n  tls: {pem}")
    async with running(flow + "- {kind: snippet, name: first, language: text, code: ok}") as rt:
        assert await secure(port_of(rt), first) == b"ok"
        told = asyncio.ensure_future(rt.events.wait("certificate rejected"))
        await asyncio.sleep(0)
        cert.write_text("broken")
        async with asyncio.timeout(60):
            await told
        assert "its certificate is rejected" in degraded(rt, "listener")
        assert await secure(port_of(rt), first) == b"ok"
        told = asyncio.ensure_future(rt.events.wait("certificate changed"))
        await asyncio.sleep(0)
        write(second)
        async with asyncio.timeout(60):
            await told
        assert not degraded(rt, "listener")
        assert await secure(port_of(rt), second) == b"ok"


class MountedSecret:
    """A folder as Kubernetes mounts one: `cert.pem` leads to `..data/cert.pem`, and `..data` is swapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        folder.mkdir()
        for name in ("cert.pem", "key.pem"):
            (folder / name).symlink_to(f"..data/{name}")

    @property
    def flow(self) -> str:
        """A listener with the certificate in it."""
        tls = json.dumps(
            {"cert": str(self.folder / "cert.pem"), "key": str(self.folder / "key.pem")}
        )
        listener = LISTENER.replace("port: 0", f"port: 0\n  tls: {tls}")
        return listener + "- {kind: snippet, name: first, language: text, code: ok}"

    def swap(self, ca: trustme.CA) -> None:
        """Have the folder hold another certificate and its key, in one step."""
        self._number += 1
        issued = ca.issue_cert("localhost")
        fresh, link = self.folder / f"..{self._number}", self.folder / "..data_tmp"
        fresh.mkdir()
        (fresh / "cert.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        (fresh / "key.pem").write_bytes(issued.private_key_pem.bytes())
        link.symlink_to(fresh.name)
        link.rename(self.folder / "..data")
        if self._number > 1:
            shutil.rmtree(self.folder / f"..{self._number - 1}")


async def test_connections_see_each_certificate_of_a_mounted_secret(
    tmp_path: Path,
) -> None:
    """Swap after swap; a connection that is open goes on with the one that it began with."""
    mounted = MountedSecret(tmp_path / "tls")
    before = trustme.CA()
    mounted.swap(before)
    async with running(mounted.flow) as rt:
        port = port_of(rt)
        context = ssl.create_default_context()
        before.configure_trust(context)
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        assert await secure(port, before) == b"ok"
        for _ in range(5):
            told = asyncio.ensure_future(rt.events.wait("certificate changed"))
            await asyncio.sleep(0)
            now = trustme.CA()
            mounted.swap(now)
            async with asyncio.timeout(60):
                await told
            assert await secure(port, now) == b"ok"
            with pytest.raises(ssl.SSLCertVerificationError):
                await secure(port, before)
            before = now
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert parsed(await reader.read()).body == b"ok"
        writer.close()
        assert not degraded(rt, "listener")


async def test_certificate_swapped_while_the_listener_begins_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = MountedSecret(tmp_path / "tls")
    first, second = trustme.CA(), trustme.CA()
    mounted.swap(first)
    stamp = certificate.stamp
    swaps: list[trustme.CA] = [second]

    def swap_and_stamp(files: tuple[Path, ...]) -> tuple[object, ...]:
        """Look at the files, at first just after they were swapped."""
        if swaps:
            mounted.swap(swaps.pop())
        return stamp(files)

    monkeypatch.setattr(certificate, "stamp", swap_and_stamp)
    async with running(mounted.flow) as rt:
        await until(lambda: not swaps)
        assert await secure(port_of(rt), second) == b"ok"


async def secure(port: int, ca: trustme.CA) -> bytes:
    """Send one HTTPS request that trusts this authority alone."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    raw = await reader.read()
    writer.close()
    return parsed(raw).body


async def test_a_certificate_that_cannot_be_used_is_a_problem_before_anything_listens() -> None:
    flow = LISTENER.replace("port: 0", "port: 0\n  tls: {cert: /nowhere/cert.pem, key: ''}")
    async with running(flow) as rt:
        problems = [problem for problem in rt.status().problems if problem.code == "tls"]
    assert [problem.path for problem in problems] == ["listener.tls"]
    assert "/nowhere/cert.pem" in str(problems[0])


# -- router -----------------------------------------------------------------------------------------

ROUTER = """
- kind: listener
  name: listener
  port: 0
  ports: {out: {name: router, port: in}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /users, port: 'out[0]'}
    - {method: POST, path: /users, port: 'out[0]'}
    - {method: GET, path: '/users/:id', port: 'out[0]'}
    - {method: GET, path: /users/new, port: 'out[1]'}
    - {method: GET, path: '/users/:id/posts/:post', port: 'out[0]'}
    - {method: GET, path: '/files/*', port: 'out[0]'}
    - {method: GET, path: '/v:major/info', port: 'out[0]'}
    - {method: GET, path: '/a\\:b', port: 'out[0]'}
  ports:
    out[0]: [{name: show, port: in}]
    out[1]: [{name: new, port: in}]
- {kind: snippet, name: show, language: cel, code: params}
- {kind: snippet, name: new, language: text, code: new}
"""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users", {}),
        ("/users/7", {"id": "7"}),
        ("/users/a%2Fb", {"id": "a/b"}),
        ("/users/7/posts/9", {"id": "7", "post": "9"}),
        ("/files/a/b.txt", {"*": "a/b.txt"}),
        ("/files/", {"*": ""}),
        ("/v2/info", {"major": "2"}),
        ("/a:b", {}),
    ],
)
async def test_a_route_gives_what_the_names_in_its_path_stand_for(
    path: str, body: dict[str, str]
) -> None:
    async with running(ROUTER) as rt:
        reply = await fetch(port_of(rt), path)
    assert (reply.status, json.loads(reply.body)) == (200, body)


async def test_the_most_literal_route_wins_and_lost_requests_are_told_why() -> None:
    async with running(ROUTER) as rt:
        port = port_of(rt)
        assert (await fetch(port, "/users/new")).text == "new"
        assert (await fetch(port, "/nowhere")).status == 404
        assert (await fetch(port, "/users/1/posts")).status == 404
        wrong = await fetch(port, "/users", method="DELETE")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "OPTIONS, GET, HEAD, POST")
        asked = await fetch(port, "/users", method="OPTIONS")
        assert (asked.status, asked.headers["Allow"]) == (204, "OPTIONS, GET, HEAD, POST")
        head = await fetch(port, "/users", method="HEAD")
        assert (head.status, head.headers["Content-Length"], head.body) == (200, "2", b"")


async def test_options_of_the_whole_server_names_every_method_of_the_router() -> None:
    flow = (
        LISTENER
        + """
- kind: router
  name: first
  routes:
    - {method: get, path: /a, port: 'out[0]'}
    - {method: DELETE, path: '/b/:id', port: 'out[0]'}
"""
    )
    async with running(flow) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = await reader.read()
        writer.close()
    assert raw.startswith(b"HTTP/1.1 204 ")
    assert b"Allow: OPTIONS, DELETE, GET, HEAD\r\n" in raw


async def test_a_router_can_be_asked_with_a_plain_map() -> None:
    async with running(ROUTER) as rt:
        assert await rt.send("router", {"method": "get", "path": "/users/7"}) == {"id": "7"}
        answer = await rt.send("router", "no map")
    assert isinstance(answer, Error)
    assert "method and path" in answer.message


async def test_two_routes_of_one_path_are_a_problem() -> None:
    routes = "[{method: GET, path: /a, port: out}, {method: get, path: /a, port: 'out[1]'}]"
    async with running(f"- {{kind: router, name: r, routes: {routes}}}") as rt:
        [problem] = rt.status().problems
    assert problem.path == "r.routes[1]"


async def test_an_extension_reads_requests_in_ten_lines() -> None:
    from typing import Annotated

    @node("greet", summary="Greets whoever asks.")
    def greet(payload: Any, *, word: Annotated[str, about("The greeting.")] = "Hello") -> str:
        return f"{word}, {payload['query']['name'][0]}!"

    def register(extension: Extension) -> None:
        extension.kind(greet)

    flow = LISTENER + "- {kind: greet, name: first, word: Servus}"
    async with running(flow, extensions=[register]) as rt:
        assert (await fetch(port_of(rt), "/?name=Ada")).text == "Servus, Ada!"
