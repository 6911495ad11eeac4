"""How the API is served: over TLS, from a folder, and from PostgreSQL."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest
import trustme

from heddle.extensions.manage.system import SYSTEM, ApiSettings, shipped, texts
from heddle.specs.stores.folder.store import FolderStore
from tests.extensions.manage.support import DEFAULT, PING, data, managing

pytestmark = pytest.mark.anyio


async def test_it_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.private_key_pem.write_to_path(str(key))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(cert), append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with managing(serving=ApiSettings(port=0, cert=str(cert), key=str(key))) as one:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", one.port, ssl=context, server_hostname="localhost"
        )
        writer.write(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            raw = await reader.read()
        writer.close()
        assert raw.startswith(b"HTTP/1.1 200 OK")
        assert b'"caller":"local"' in raw


async def test_a_change_keeps_the_comments_and_the_order_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ping.yaml"
    file.write_text("# Mine.\n" + PING.replace("code: pong", "code: pong  # said to everybody"))
    async with managing(store=FolderStore(str(tmp_path))) as one:
        before = one.rt.table.wiring.generation.number
        reply = await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": "hello"})
        assert reply.status == 200
        await one.live(one.rt, after=before)
        said = file.read_text()
        assert said.startswith("# Mine.\n")
        assert "code: hello  # said to everybody" in said
        by_hand = file.read_text().replace("code: hello", "code: by hand")
        file.write_text(by_hand)
        late = await one.call(
            "PATCH",
            f"{DEFAULT}/specs/pong",
            {"code": "late"},
            headers={"If-Match": reply.headers["ETag"]},
        )
        assert late.status == 412
        assert data(late)["current"]["code"] == "by hand"
        assert file.read_text() == by_hand


async def test_two_operators_who_race_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(PING)
    async with managing(store=FolderStore(str(tmp_path))) as one:
        path = f"{DEFAULT}/specs/pong"

        async def operator(name: str) -> int:
            tries = 0
            for number in range(5):
                reply = None
                while reply is None or reply.status in (409, 412):
                    tries += 1
                    read = await one.call("GET", path)
                    entry = data(read)
                    entry.setdefault("annotations", {})[f"{name}{number}"] = "done"
                    match = {"If-Match": read.headers["ETag"]}
                    reply = await one.call("PUT", path, entry, headers=match)
                assert reply.status == 200, reply
            return tries

        async with asyncio.timeout(60):
            tries = await asyncio.gather(operator("a"), operator("b"))
        assert sum(tries) >= 10
        kept = (await one.call.get(path))["annotations"]
        assert sorted(kept) == sorted(f"{name}{number}" for name in "ab" for number in range(5))


async def test_what_is_shipped_is_whole() -> None:
    assert len({spec.name for spec in shipped()}) == len(shipped())
    assert {spec.namespace for spec in shipped()} == {SYSTEM}
    assert set(texts()) == {
        "door.yaml",
        "events.yaml",
        "operations.yaml",
        "routes.yaml",
        "sql.yaml",
    }
    async with managing() as one:
        status = one.system.status()
        assert not status.problems
        assert {symbol.state for symbol in status.symbols} == {"active"}


async def test_a_client_that_keeps_its_connection_is_answered_through_a_reload() -> None:
    async with managing() as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        asked = b"GET /v1/store HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answers: list[int] = []
        for number in range(10):
            if number % 3 == 0:
                limit = {"kind": "throttle", "count": 1000 + number, "over": "fail"}
                limit["ports"] = {"out": {"name": "access"}, "error": {"name": "reject"}}
                before = one.system.table.wiring.generation.number
                reply = await one.call("PUT", "/v1/namespaces/system/specs/limit", limit)
                assert reply.status in (200, 201)
                await one.live(one.system, after=before)
            writer.write(asked)
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                body = msgspec.json.decode(await reader.readexactly(length))
            answers.append(body["revision"])
        writer.close()
        assert answers == sorted(answers)
        assert answers[-1] == answers[0] + 3
