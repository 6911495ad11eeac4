"""The remote store keeps every promise of a Store, through a real API on a real socket."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.manage.system import SYSTEM, ApiSettings, system_runtime
from heddle.extensions.manage.tokens import ApiToken, hash_of, new_token, value_of
from heddle.runtime.assembly.extension import registry
from heddle.runtime.flow.contracts import Process
from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import SecretError, SpecError, StoreError
from heddle.schemas.link import Link
from heddle.specs.model.mask import MASK
from heddle.specs.model.store import Put, Store
from heddle.specs.model.value import ValueSource
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.secrets.vault import Vault
from heddle.specs.stores.contract import StoreContract, rejected
from heddle.specs.stores.contract_story import Watch, spec, value
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.keyed_contract import KeyedContract
from heddle.specs.stores.lease_contract import LeaseContract
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.opener import open_store
from heddle.specs.stores.recording_contract import (
    AcceptanceContract,
    ReportContract,
    RevisionContract,
)
from heddle.specs.stores.remote.store import RemoteStore, token_of
from tests.support import degraded, port_of


class Served(RemoteStore):
    """A remote store with an API of its own to speak to, over a store in memory."""

    def __init__(self, held: Store, *, check: bool = False, token: str = "") -> None:
        super().__init__("http://127.0.0.1:1", check=check, token=token)
        self.held = held
        self._opts = check, token
        self._system: Runtime | None = None

    async def open(self) -> None:
        """Serve, then open."""
        await self.held.open()
        self._system = system_runtime(
            self.held, registry(), serving=ApiSettings(port=0, rate=100_000)
        )
        await self._system.__aenter__()
        check, token = self._opts
        RemoteStore.__init__(
            self, f"http://127.0.0.1:{port_of(self._system)}", check=check, token=token
        )
        try:
            await super().open()
        except BaseException:
            await self._system.close()
            raise

    async def close(self) -> None:
        """Close, then serve no more."""
        await super().close()
        system, self._system = self._system, None
        if system is not None:
            await system.close()
            await self.held.close()


class TestRemoteStoreGrants(LeaseContract):
    """Leases of a store in files, through an API."""

    lasting = True

    def make(self, folder: Path) -> Store:
        return Served(FolderStore(folder))


class TestRemoteStore(
    IndexedContract,
    StoreContract,
    RevisionContract,
    KeyedContract,
    ReportContract,
    AcceptanceContract,
):
    kept = False

    def make(self, folder: Path) -> Store:
        del folder
        return Served(MemoryStore())

    def author(self, name: str) -> str:
        return f"{name} (as local)"

    def test_what_is_put_is_found(self, tmp_path: Path) -> None:
        """All of it, but for a secret in clear: that comes masked, and nobody takes the mask for it."""

        async def story(store: Store) -> None:
            one = spec("one", "router", fields={"routes": []}, ports={"out[0]": (Link("two"),)})
            clear = value("database", {"url": "pg://x", "pool": 4}, secret=True)
            await store.apply([Put(resource=one), Put(resource=clear)])
            assert list(await store.specs()) == [one]
            [found] = await store.values()
            assert found.data == {"url": MASK, "pool": MASK}
            with pytest.raises(SecretError, match="masked"):
                Vault().open(found)

        self.run(tmp_path, story)

    def test_a_value_stays_as_it_says_its_data(self, tmp_path: Path) -> None:
        """What is sealed, and what comes from outside."""

        async def story(store: Store) -> None:
            key = new_key()
            sealed = Keyring.of(key).seal(value("sealed", "hunter2", secret=True))
            outside = value("file", None, source=ValueSource(file="/run/secrets/db", format="json"))
            await store.apply([Put(resource=sealed), Put(resource=outside)])
            found = {each.name: each for each in await store.values()}
            assert found == {"sealed": sealed, "file": outside}
            assert Keyring.of(key).open(found["sealed"]) == "hunter2"

        self.run(tmp_path, story)


def tell(story: Any) -> None:
    asyncio.run(story)


def test_what_changed_before_the_stream_began_is_told() -> None:
    async def story() -> None:
        store = Served(MemoryStore())
        await store.open()
        watch = await Watch.begin(store)
        await store.held.apply([Put(resource=spec("one")), Put(resource=value("v", 1))])
        await watch.until([spec("one").id, value("v", 1).id])
        await store.held.apply([Put(resource=spec("one", fields={"a": 1}))])
        [changes] = await watch.until([spec("one").id])
        assert changes.revision == 2
        await watch.stop()
        await store.close()

    tell(story())


def test_each_namespace_is_watched_by_itself() -> None:
    async def story() -> None:
        store = Served(MemoryStore())
        await store.open()
        one, two = Watch(store.watch("one")), Watch(store.watch("two"))
        every = await Watch.begin(store)
        for space, watch in (("two", two), ("one", one)):
            put = spec("x", namespace=space)
            await store.apply([Put(resource=put)])
            await watch.until([put.id])
            await every.until([put.id])
        for watch in (one, two, every):
            await watch.stop()
        await store.close()

    tell(story())


def test_who_watches_again_at_once_is_told_as_well() -> None:
    async def story() -> None:
        store = Served(MemoryStore())
        await store.open()
        first = await Watch.begin(store)
        await store.apply([Put(resource=spec("one"))])
        await first.until([spec("one").id])
        first._next.cancel()
        again = await Watch.begin(store)
        await store.apply([Put(resource=spec("two"))])
        await again.until([spec("two").id])
        await again.stop()
        await store.close()

    tell(story())


def test_what_is_not_understood_ends_the_watch_with_the_reason() -> None:
    """Of a stream that tells what no API of ours would."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        media, body = "application/json", '{"revision":3}'
        if b"/v1/events" in head:
            media, body = "text/event-stream", 'event: change\ndata: {"revision":4}\n\n'
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        writer.close()

    async def story() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            store = RemoteStore(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await store.open()
            watch = await Watch.begin(store)
            with pytest.raises(StoreError, match="not understood"):
                await watch.next()
            await store.close()

    tell(story())


@pytest.mark.parametrize(
    "answer", ["200 OK\r\n\r\n<html>", "200 OK\r\n\r\n[]", "302 Found\r\nLocation: /else\r\n\r\n"]
)
def test_what_is_no_api_is_told_in_one_line(answer: str) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head, _, body = answer.partition("\r\n\r\n")
        length = f"\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(f"HTTP/1.1 {head}{length}{body}".encode())
        writer.close()

    async def story() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(StoreError, match="is it the API of Heddle"):
                await RemoteStore(f"http://127.0.0.1:{port}", token="heddle_x").open()

    tell(story())
    assert len(asked) == 1


def test_a_stream_that_breaks_ends_the_watch_with_the_reason() -> None:
    async def story() -> None:
        store = Served(MemoryStore())
        await store.open()
        watch = await Watch.begin(store)
        await store.apply([Put(resource=spec("one"))])
        await watch.until([spec("one").id])
        assert store._system is not None
        await store._system.close()
        with pytest.raises(StoreError, match=r"127\.0\.0\.1"):
            await watch.next()
        await watch.stop()
        await store.close()

    tell(story())


def test_what_a_spec_says_wrong_is_rejected_there_with_its_problems() -> None:
    async def story() -> None:
        store = Served(MemoryStore(), check=True)
        await store.open()
        with pytest.raises(SpecError) as raised:
            await store.apply([Put(resource=spec("bad", "sleep", fields={"intervall": 1}))])
        assert any("intervall" in problem.path for problem in raised.value.problems)
        assert list(await store.specs()) == []
        await store.close()

    tell(story())


def test_a_runtime_follows_a_store_through_the_api_and_reports_there() -> None:
    async def story() -> None:
        store = Served(MemoryStore([spec("pong", "snippet", fields=_text("old"))]))
        await store.open()
        async with Runtime(store=RemoteStore(store.url)) as rt:
            assert await rt.send("pong") == "old"
            live = asyncio.ensure_future(rt.events.wait("generation live"))
            await asyncio.sleep(0)
            await store.held.apply([Put(resource=spec("pong", "snippet", fields=_text("new")))])
            await asyncio.wait_for(live, 20)
            assert await rt.send("pong") == "new"
            [report] = await store.reports("default")
            assert report.namespace == "default"
        assert list(await store.reports("default")) == []
        await store.close()

    tell(story())


def test_a_runtime_behind_the_api_leaves_acting_to_those_at_the_store() -> None:
    specs = [
        spec("clock", "timer", fields={"interval": "20ms"}),
        spec("own", "timer", fields={"interval": "20ms", "singleton": "machine"}),
    ]

    async def story() -> None:
        store = Served(MemoryStore(specs))
        await store.open()
        async with Runtime(store=RemoteStore(store.url)) as rt:
            ticks: dict[str, int] = {"clock": 0, "own": 0}

            def count(process: Process) -> None:
                ticks[process.origin] += 1

            rt.table.listen(count)
            async with asyncio.timeout(20):
                while ticks["own"] < 5:  # noqa: ASYNC110 - a tick tells nobody
                    await asyncio.sleep(0.01)
            assert ticks["clock"] == 0
            reason = degraded(rt, "clock")
            assert "grants no leases" in reason
            assert "singleton: machine" in reason
            assert degraded(rt, "own") == ""
        await store.close()

    tell(story())


def test_a_token_lets_in_and_its_lack_is_told() -> None:
    token = new_token()
    made = ApiToken(name="ci", hash=hash_of(token), roles=("edit",), namespaces=("default",))

    async def story() -> None:
        store = Served(MemoryStore([value_of(made, SYSTEM)]), token=token, check=True)
        await store.open()
        await store.apply([Put(resource=spec("one"))])
        assert [each.name for each in await store.specs("default")] == ["one"]
        elsewhere = Put(resource=spec("two", namespace="other"))
        assert await rejected(store, [elsewhere], StoreError)
        stranger = RemoteStore(store.url)
        with pytest.raises(StoreError, match="HEDDLE_TOKEN"):
            await stranger.open()
        await store.close()

    tell(story())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", "cannot be reached"),
        ("http://", "not an address"),
        ("http://[::1", "not an address"),
        ("http://127.0.0.1:99999", "not an address"),
        ("http://a..b:1", "cannot be reached"),
        ("https://token@host", "HEDDLE_TOKEN"),
    ],
)
def test_an_address_that_is_none_is_told_in_one_line(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as raised:
        tell(open_store(url))
    assert "\n" not in str(raised.value)


def test_a_token_of_two_lines_is_none_and_is_not_repeated() -> None:
    with pytest.raises(StoreError, match="not a token") as raised:
        RemoteStore("http://127.0.0.1:1", token="heddle_a\nheddle_b")
    assert "heddle_" not in str(raised.value)


def test_a_token_comes_from_a_file_or_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("heddle_abc\n")
    assert token_of({"HEDDLE_TOKEN": "x"}, str(file)) == "heddle_abc"
    assert token_of({"HEDDLE_TOKEN_FILE": str(file), "HEDDLE_TOKEN": "x"}) == "heddle_abc"
    assert token_of({"HEDDLE_TOKEN": "x"}) == "x"
    assert token_of({}) == ""
    with pytest.raises(StoreError, match="nowhere"):
        token_of({}, str(tmp_path / "nowhere"))


def _text(code: str) -> dict[str, Any]:
    return {"language": "text", "code": code}


@pytest.mark.anyio
async def test_a_runtime_over_the_api_falls_back_to_what_it_accepted() -> None:
    held = MemoryStore()
    leaf = spec("leaf", "snippet", fields={"language": "text", "code": "leaf"})
    start = spec("start", "pipe", ports={"out[0]": (Link("leaf"),)})
    store = Served(held)
    async with Runtime(store=store) as rt:
        await store.apply([Put(resource=leaf), Put(resource=start)])
        async with asyncio.timeout(10):
            await rt.events.wait("generation live", since=0)
        assert await rt.send("start") == "leaf"
    await held.open()
    await held.apply([Put(resource=spec("leaf", "snippet", fields={"language": "tekst"}))])
    async with Runtime(store=Served(held)) as rt:
        assert await rt.send("start") == "leaf"
        assert [one.name for one in rt.status().symbols if one.observed != one.revision] == ["leaf"]
