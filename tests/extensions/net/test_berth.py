"""Listeners are matched by address: whatever is renamed, moved or swapped, nobody is rejected."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from heddle.runtime.runtime import Runtime
from tests.support import change, fetch, parsed, running

pytestmark = pytest.mark.anyio

A, B, C = (f"0198a000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))


def free(count: int = 1) -> list[int]:
    """So many ports that nobody listens on."""
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in made]
    for one in made:
        one.close()
    return ports


def listener(
    port: int, answer: str, *, name: str = "", host: str = "127.0.0.1", more: str = ""
) -> str:
    """Return a listener in front of a snippet that answers a word; its id goes by its name."""
    known = {"a": A, "b": B, "c": C}
    name = name or answer
    id_ = f"  id: {known[name]}\n" if name in known else ""
    return (
        f"- kind: listener\n  name: {name}\n{id_}  port: {port}\n  host: '{host}'\n{more}"
        f"  ports: {{out: {{name: say-{answer}, port: in}}}}\n"
        f"- {{kind: snippet, name: say-{answer}, language: text, code: {answer}}}\n"
    )


async def replace(rt: Runtime, text: str) -> None:
    """Apply what a text says, and remove every listener that it does not say."""
    from heddle.specs.model.spec import Spec
    from heddle.specs.model.store import Delete, Put
    from heddle.specs.yaml.document import read_text

    reading = read_text(text, file="flow.yaml")
    assert not reading.problems
    names = {one.name for one in reading.specs}
    gone = [one.spec.id for one in rt.table.all() if one.spec.name not in names]
    told = asyncio.ensure_future(rt.events.wait("generation live", "change rejected"))
    await asyncio.sleep(0)
    kept = {one.id for one in reading.specs}
    await rt.store.apply(
        [
            *(Delete(type=Spec, id=one) for one in gone if one not in kept),
            *(Put(resource=one) for one in reading.specs),
        ]
    )
    async with asyncio.timeout(60):
        event = await told
    assert event.event == "generation live", event


async def rejected(rt: Runtime, text: str) -> None:
    """Apply what cannot begin."""
    told = asyncio.ensure_future(rt.events.wait("generation live", "change rejected"))
    await asyncio.sleep(0)
    await change(rt, text)
    assert (await told).event == "change rejected"


async def said(port: int, host: str = "127.0.0.1") -> str:
    """Return what the listener at an address answers."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(30):
        raw = await reader.read()
    writer.close()
    return parsed(raw).text


class Hammer:
    """Connects to a port again and again, and keeps what it was answered."""

    def __init__(self, ports: list[int]) -> None:
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._ports = ports
        self._going = True

    async def run(self) -> None:
        while self._going:
            for port in self._ports:
                try:
                    self.answers.append(await said(port))
                except (OSError, ValueError, IndexError) as error:
                    self.failures.append(repr(error))

    @asynccontextmanager
    async def going(self) -> AsyncIterator["Hammer"]:
        tasks = [asyncio.ensure_future(self.run()) for _ in range(3)]
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            self._going = False
            await asyncio.gather(*tasks)


async def test_a_listener_is_renamed_and_nobody_is_rejected() -> None:
    [port] = free()
    async with running(listener(port, "a")) as rt:
        async with Hammer([port]).going() as hammer:
            await replace(rt, listener(port, "b"))
            assert await said(port) == "b"
            await replace(rt, listener(port, "x"))
            assert await said(port) == "x"
        assert hammer.failures == []


async def test_two_listeners_swap_their_ports() -> None:
    one, two = free(2)
    async with running(listener(one, "a"), listener(two, "b")) as rt:
        async with Hammer([one, two]).going() as hammer:
            await replace(rt, listener(two, "a") + listener(one, "b"))
            assert (await said(one), await said(two)) == ("b", "a")
            await replace(rt, listener(one, "a") + listener(two, "b"))
            assert (await said(one), await said(two)) == ("a", "b")
        assert hammer.failures == []


async def test_three_listeners_change_ports_in_a_ring_and_names_as_well() -> None:
    one, two, three = free(3)
    first = listener(one, "a") + listener(two, "b") + listener(three, "c")
    async with running(first) as rt:
        async with Hammer([one, two, three]).going() as hammer:
            await replace(rt, listener(two, "a") + listener(three, "b") + listener(one, "c"))
            assert [await said(port) for port in (one, two, three)] == ["c", "a", "b"]
            # Two change places, and the third one has another name.
            await replace(rt, listener(one, "x") + listener(three, "a") + listener(two, "b"))
            assert [await said(port) for port in (one, two, three)] == ["x", "b", "a"]
        assert hammer.failures == []


HOSTS = ["127.0.0.1", "0.0.0.0", "", "localhost", "127.0.0.1", "", "0.0.0.0", "127.0.0.1"]


async def test_a_listener_changes_its_host_and_keeps_its_port() -> None:
    [port] = free()
    async with running(listener(port, "a")) as rt:
        async with Hammer([port]).going() as hammer:
            for number, host in enumerate(HOSTS):
                text = listener(port, f"w{number}", name="a", host=host)
                await replace(rt, text)
                assert await said(port) == f"w{number}"
        assert hammer.failures == []


async def test_a_narrower_host_closes_the_other_addresses() -> None:
    [port] = free()
    async with running(listener(port, "a", host="0.0.0.0")) as rt:
        assert await said(port, "127.0.0.2") == "a"
        inside, out = await asyncio.open_connection("127.0.0.2", port)
        out.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await inside.readuntil(b"\r\n\r\na")
        await replace(rt, listener(port, "b", name="a"))
        assert await said(port) == "b"
        with pytest.raises(ConnectionRefusedError):
            await said(port, "127.0.0.2")
        async with asyncio.timeout(30):
            assert await inside.read() == b""
        out.close()


async def test_a_kept_connection_goes_on_when_the_host_changes() -> None:
    [port] = free()
    async with running(listener(port, "a")) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, host in enumerate(HOSTS):
            await replace(rt, listener(port, f"w{number}", name="a", host=host))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(f"\r\n\r\nw{number}".encode())
        writer.close()


async def test_one_wide_listener_becomes_two_narrow_ones_and_back() -> None:
    [port] = free()
    wide = listener(port, "a", host="0.0.0.0")
    async with running(wide) as rt:
        async with Hammer([port]).going() as hammer:
            await replace(rt, listener(port, "b") + listener(port, "c", host="127.0.0.2"))
            assert (await said(port), await said(port, "127.0.0.2")) == ("b", "c")
            await replace(rt, wide)
            assert (await said(port), await said(port, "127.0.0.2")) == ("a", "a")
        assert hammer.failures == []


async def test_hosts_and_ports_change_at_once() -> None:
    one, two = free(2)
    first = listener(one, "a") + listener(two, "b", host="0.0.0.0")
    second = listener(two, "a") + listener(one, "b", host="0.0.0.0")
    async with running(first) as rt:
        async with Hammer([one, two]).going() as hammer:
            for text, words in ((second, ("b", "a")), (first, ("a", "b"))):
                await replace(rt, text)
                assert (await said(one), await said(two)) == words
        assert hammer.failures == []


async def test_tls_comes_and_goes_on_one_port() -> None:
    [port] = free()
    ca = trustme.CA()
    cert = ca.issue_cert("127.0.0.1")
    pem = json.dumps(cert.private_key_and_cert_chain_pem.bytes().decode())
    context = ssl.create_default_context()
    ca.configure_trust(context)

    async def secure() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = await reader.read()
        writer.close()
        return parsed(raw).text

    async with running(listener(port, "a")) as rt:
        await replace(rt, listener(port, "b", name="a", more=f"  tls: {{cert: {pem}}}\n"))
        assert await secure() == "b"
        await replace(
            rt,
            listener(port, "c", name="a", host="0.0.0.0", more=f"  tls: {{cert: {pem}}}\n"),
        )
        assert await secure() == "c"
        await replace(rt, listener(port, "d", name="a"))
        assert await said(port) == "d"


@pytest.mark.parametrize("case", ["swap", "wider", "narrower", "renamed"])
async def test_a_rejected_change_leaves_every_address_with_its_owner(case: str) -> None:
    one, two = free(2)
    change_of = {
        "swap": listener(two, "a") + listener(one, "b"),
        "wider": listener(one, "a", host="0.0.0.0") + listener(two, "b", host=""),
        "narrower": listener(one, "x", name="a", host="127.0.0.2"),
        "renamed": listener(one, "y", name="a"),
    }
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        async with running(listener(one, "a"), listener(two, "b")) as rt:
            async with Hammer([one, two]).going() as hammer:
                await rejected(rt, change_of[case] + listener(taken, "c"))
                assert (await said(one), await said(two)) == ("a", "b")
                with pytest.raises(ConnectionRefusedError):
                    await said(one, "127.0.0.2")
            assert hammer.failures == []
            assert set(hammer.answers) == {"a", "b"}
            # What was bound for the change that was rejected is free again.
            again = {"more": "  stream: true\n"}
            await replace(
                rt,
                listener(two, "v", name="a", **again)
                + listener(one, "w", name="b", host="", **again),
            )
            assert (await said(one), await said(two)) == ("w", "v")


async def test_an_address_that_another_listener_keeps_is_still_taken() -> None:
    one, two = free(2)
    async with running(listener(one, "a"), listener(two, "b")) as rt:
        await rejected(rt, listener(one, "x", name="b", host="0.0.0.0"))
        assert (await said(one), await said(two)) == ("a", "b")


async def test_what_waits_in_the_queue_is_served_by_the_next_owner() -> None:
    [port] = free()
    async with running(listener(port, "a", host="0.0.0.0")) as rt:
        applied = asyncio.ensure_future(replace(rt, listener(port, "b")))
        replies = [await fetch(port) for _ in range(50)]
        await applied
    assert {reply.text for reply in replies} <= {"a", "b"}


def speaks_ipv6() -> bool:
    """Return whether this machine has a loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not speaks_ipv6(), reason="needs IPv6")
async def test_hosts_of_both_families_follow_each_other_on_one_port() -> None:
    [port] = free()
    hosts = ["127.0.0.1", "::", "::1", "", "::1", "0.0.0.0", "::", "127.0.0.1", ""]
    async with running(listener(port, "a")) as rt:
        for number, host in enumerate(hosts):
            await replace(rt, listener(port, f"w{number}", name="a", host=host))
            for address, served in (
                ("127.0.0.1", host in ("127.0.0.1", "0.0.0.0", "")),
                ("::1", host in ("::", "::1", "")),
            ):
                if served:
                    assert await said(port, address) == f"w{number}"
                else:
                    with pytest.raises(ConnectionRefusedError):
                        await said(port, address)


async def test_two_https_listeners_swap_their_ports_and_certificates() -> None:
    one, two = free(2)
    ca = trustme.CA()
    pems = {
        name: json.dumps(
            ca.issue_cert("127.0.0.1", common_name=name)
            .private_key_and_cert_chain_pem.bytes()
            .decode()
        )
        for name in ("a", "b")
    }
    context = ssl.create_default_context()
    ca.configure_trust(context)

    async def who(port: int) -> tuple[str, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        shown = writer.get_extra_info("peercert")["subject"]
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = await reader.read()
        writer.close()
        names = {key: value for ((key, value),) in shown}
        return parsed(raw).text, names["commonName"]

    def secure(port: int, name: str, host: str = "127.0.0.1") -> str:
        return listener(port, name, host=host, more=f"  tls: {{cert: {pems[name]}}}\n")

    async with running(secure(one, "a"), secure(two, "b")) as rt:
        assert (await who(one), await who(two)) == (("a", "a"), ("b", "b"))
        await replace(rt, secure(two, "a") + secure(one, "b"))
        assert (await who(one), await who(two)) == (("b", "b"), ("a", "a"))
        await replace(rt, secure(one, "a", "0.0.0.0") + secure(two, "b", ""))
        assert (await who(one), await who(two)) == (("a", "a"), ("b", "b"))
