"""A change set that is sent again under its key is made once; an unsure one is told so."""

from collections.abc import Sequence
from typing import Any

import pytest

from heddle.extensions.manage.system import ApiSettings, system_runtime
from heddle.runtime.assembly.extension import registry
from heddle.schemas.errors import StoreError, UnconfirmedError
from heddle.specs.model.names import new_id
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.model.store import Change, Put, Resource
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.remote import store as remote
from heddle.specs.stores.remote.store import RemoteStore
from tests.extensions.manage.support import DEFAULT, Client, data, managing
from tests.support import port_of

pytestmark = pytest.mark.anyio

ONE = {"kind": "snippet", "language": "text", "code": "one"}
TWO = {"kind": "snippet", "language": "text", "code": "two"}


class Forgetful(MemoryStore):
    """A store whose answers get lost, `lost` times, after it has made a change set."""

    lost = 0

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        put = await super().apply(changes, note)
        if self.lost:
            self.lost -= 1
            raise UnconfirmedError("the line was cut", note.key or new_id())
        return put


async def test_a_replace_that_is_repeated_is_answered_and_not_made_again() -> None:
    async with managing() as one:
        path = f"{DEFAULT}/specs/pong"
        tag = (await one.call("GET", path)).headers["ETag"]
        mine = {"If-Match": tag, "Idempotency-Key": "mine"}
        first = await one.call("PUT", path, ONE, headers=mine)
        assert first.status == 200
        await one.call("PUT", path, TWO)
        newest = await one.rt.store.newest()
        again = await one.call("PUT", path, ONE, headers=mine)
        assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")
        assert (data(again), again.headers["ETag"]) == (data(first), first.headers["ETag"])
        assert await one.rt.store.newest() == newest
        assert (await one.call.get(path))["code"] == "two"
        [made] = (await one.call.get("/v1/revisions?key=mine"))["items"]
        assert f'"{made["number"]}"' == first.headers["ETag"]
        assert (await one.call.get("/v1/revisions?key=other"))["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{DEFAULT}/apply", [{**ONE, "name": "new"}], 200),
        ("POST", f"{DEFAULT}/specs", {**ONE, "name": "new"}, 201),
        ("PATCH", f"{DEFAULT}/specs/pong", {"code": "patched"}, 200),
        ("DELETE", f"{DEFAULT}/values/password", None, 204),
        ("POST", f"{DEFAULT}/rollback", {"revision": 0}, 200),
    ],
)
async def test_every_change_may_be_repeated_under_its_key(
    method: str, path: str, body: Any, status: int
) -> None:
    async with managing() as one:
        key = {"Idempotency-Key": "8e03978e"}
        if "rollback" in path:
            await one.call("POST", f"{DEFAULT}/apply", [{**ONE, "name": "pong"}])
            body = {"revision": 1}
        first = await one.call(method, path, body, headers=key)
        newest = await one.rt.store.newest()
        again = await one.call(method, path, body, headers=key)
        assert (first.status, again.status // 100) == (status, 2), (first, again)
        assert await one.rt.store.newest() == newest


async def test_a_key_that_is_none_is_rejected() -> None:
    async with managing() as one:
        for key in ("k" * 256, "a\tb"):
            headers = {"Idempotency-Key": key}
            reply = await one.call("PUT", f"{DEFAULT}/specs/pong", ONE, headers=headers)
            assert reply.status == 400, reply


async def test_a_key_of_another_request_is_rejected() -> None:
    async with managing() as one:
        key = {"Idempotency-Key": "k"}
        await one.call("PUT", f"{DEFAULT}/specs/pong", ONE, headers=key)
        for method, path, body in (
            ("PUT", f"{DEFAULT}/specs/router", ONE),
            ("PUT", f"{DEFAULT}/values/pong", {"data": 1}),
            ("DELETE", f"{DEFAULT}/specs/pong", None),
            ("POST", "/v1/namespaces/other/apply", [{**ONE, "name": "pong"}]),
        ):
            reply = await one.call(method, path, body, headers=key)
            assert (reply.status, data(reply)["type"]) == (409, "urn:heddle:problem:key")


async def test_what_may_have_been_made_is_answered_with_its_key() -> None:
    store = Forgetful()
    await store.open()
    async with system_runtime(store, registry(), serving=ApiSettings(port=0)) as system:
        call = Client(port_of(system))
        store.lost = 1
        reply = await call("POST", f"{DEFAULT}/specs", {**ONE, "name": "new"})
        said = data(reply)
        assert (reply.status, said["type"]) == (503, "urn:heddle:problem:unconfirmed")
        assert "may have been made" in said["detail"]
        key = {"Idempotency-Key": said["key"]}
        again = await call("POST", f"{DEFAULT}/specs", {**ONE, "name": "new"}, headers=key)
        assert (again.status, await store.newest()) == (201, 1)


async def test_a_remote_store_repeats_until_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "INSIST", 0.3)
    store = Forgetful()
    await store.open()
    async with system_runtime(store, registry(), serving=ApiSettings(port=0)) as system:
        far = RemoteStore(f"http://127.0.0.1:{port_of(system)}", check=False)
        await far.open()
        store.lost = 2
        (put,) = await far.apply([Put(resource=spec("one"), revision=0)])
        assert (put.revision, await store.newest()) == (1, 1)
        await far.close()


async def test_a_remote_store_that_gives_up_says_what_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "INSIST", 0.3)

    class Deaf(Forgetful):
        """A store that cannot be asked any more, once it has made something."""

        async def keyed(self, key: Any) -> Any:
            if await self.newest():
                raise StoreError("it is away")
            return await super().keyed(key)

    store = Deaf()
    await store.open()
    async with system_runtime(store, registry(), serving=ApiSettings(port=0)) as system:
        far = RemoteStore(f"http://127.0.0.1:{port_of(system)}", check=False)
        await far.open()
        store.lost = 1
        with pytest.raises(UnconfirmedError, match="may have been made"):
            await far.apply([Put(resource=spec("one"), revision=0)])
        await far.close()
