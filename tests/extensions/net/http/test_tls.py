"""TLS, and certificates that change while connections are open."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.tls import TLS
from tests.extensions.net.http.wire import GET, House, Wire, answering, post, serve

pytestmark = pytest.mark.anyio


class Authority:
    """A certificate authority that clients trust and servers have certificates of."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.trusting = ssl.create_default_context()
        self.ca.configure_trust(self.trusting)

    def tls(self, name: str = "localhost") -> TLS:
        issued = self.ca.issue_cert(name)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return TLS(cert=chain.decode(), key=issued.private_key_pem.bytes(), handshake_timeout=5)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def serial(wire: Wire) -> str:
    certificate = wire.writer.get_extra_info("peercert")
    return str(certificate["serialNumber"])


async def test_requests_over_tls(authority: Authority) -> None:
    def scheme(exchange):  # type: ignore[no-untyped-def]
        exchange.reply(exchange.request["scheme"])

    async with serve(scheme, tls=authority.tls()) as house:
        wire = await house.wire(authority.trusting)
        for _ in range(3):
            assert (await wire.ask(GET)).body == b"https"
        tls = wire.writer.get_extra_info("ssl_object")
        assert tls.version() in ("TLSv1.2", "TLSv1.3")
        assert house.server.snapshot().tls


async def test_certificate_is_swapped_for_new_connections_only(authority: Authority) -> None:
    async with serve(answering("x"), tls=authority.tls()) as house:
        old = await house.wire(authority.trusting)
        first = serial(old)
        house.server.swap(tls=authority.tls())
        assert (await old.ask(GET)).status == 200
        new = await house.wire(authority.trusting)
        assert (await new.ask(GET)).status == 200
        assert serial(new) != first


async def test_certificate_files_are_read_again(authority: Authority, tmp_path: Path) -> None:
    def write() -> None:
        tls = authority.tls()
        (tmp_path / "cert.pem").write_text(str(tls.cert))
        (tmp_path / "key.pem").write_bytes(bytes(tls.key))  # type: ignore[arg-type]

    write()
    tls = TLS(cert=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    async with serve(answering("x"), tls=tls) as house:
        first = serial(await house.wire(authority.trusting))
        write()
        house.server.reload_tls()
        assert serial(await house.wire(authority.trusting)) != first


async def test_bad_certificate_keeps_the_old_one(authority: Authority) -> None:
    good = authority.tls()
    async with serve(answering("x"), tls=good) as house:
        first = serial(await house.wire(authority.trusting))
        for bad in (
            TLS(cert="-----BEGIN nonsense", key=good.key),
            TLS(cert=good.cert, key=authority.tls().key),
            TLS(cert="/no/such/file.pem", key=good.key),
            TLS(cert=b"not PEM", key=good.key),
            TLS(cert=good.cert),
        ):
            with pytest.raises(ValueError, match="tls: the certificate and its key cannot be used"):
                house.server.swap(tls=bad)
        assert serial(await house.wire(authority.trusting)) == first


async def test_plain_server_does_not_begin_to_speak_tls(authority: Authority) -> None:
    async with serve(answering("x")) as house:
        with pytest.raises(ValueError, match="speaks no TLS"):
            house.server.swap(tls=authority.tls())


async def test_plain_http_to_a_tls_server_is_cut(authority: Authority) -> None:
    async with serve(answering("x"), tls=authority.tls()) as house:
        wire = await house.wire()
        await wire.send(GET)
        data = await wire.rest()
        assert not data.startswith(b"HTTP/1.1 200")
        assert (await (await house.wire(authority.trusting)).ask(GET)).status == 200


async def test_handshake_that_does_not_come_is_timed_out(authority: Authority) -> None:
    import msgspec

    tls = msgspec.structs.replace(authority.tls(), handshake_timeout=0.05)
    async with serve(answering("x"), tls=tls) as house:
        assert await (await house.wire()).closed()


async def test_rejections_and_timeouts_over_tls(authority: Authority) -> None:
    limits = HttpLimits(body_bytes=10, idle_timeout=0.1)
    async with serve(answering("x"), tls=authority.tls(), limits=limits) as house:
        wire = await house.wire(authority.trusting)
        assert (await wire.ask(post(b"a" * 11))).status == 413
        wire = await house.wire(authority.trusting)
        assert (await wire.ask(GET)).status == 200
        assert await wire.closed()


async def test_large_bodies_over_tls(authority: Authority) -> None:
    async with serve(answering(b"z" * 3_000_000), tls=authority.tls()) as house:
        wire = await house.wire(authority.trusting)
        for _ in range(2):
            assert len((await wire.ask(post(b"a" * 2_000_000))).body) == 3_000_000


async def test_successor_may_speak_tls_where_the_first_did_not(authority: Authority) -> None:
    from heddle.extensions.net.http.server import Server

    async with serve(answering("plain")) as house:
        assert (await house.ask(GET)).body == b"plain"
        successor = Server(answering("secret"), tls=authority.tls())
        await successor.start(sockets=house.server.detach())
        try:
            wire = await House(successor, []).wire(authority.trusting)
            assert (await asyncio.wait_for(wire.ask(GET), 60)).body == b"secret"
            await wire.close()
        finally:
            await successor.drain(1)
