"""Leases over the API: who may take them, what they are for, and that they end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.specs.model.lease import Holder
from heddle.specs.stores.folder.store import FolderStore
from tests.extensions.manage.support import DEFAULT, data, managing
from tests.waiting import until

pytestmark = pytest.mark.anyio

LEASE = f"{DEFAULT}/leases/0199"
ADA = Holder(runtime="ada", host="one", pid=1)


def wish(runtime: str = "ada", **more: Any) -> dict[str, Any]:
    """Return what a runtime sends to take a lease."""
    return {"holder": {"runtime": runtime}, "ttl": 60.0, **more}


def lock_files(folder: Path) -> list[Path]:
    """Return the files of the leases of a store in files."""
    return list(folder.glob(".heddle/leases/*"))


async def test_a_lease_takes_the_right_to_operate_in_its_namespace(tmp_path: Path) -> None:
    async with managing(store=FolderStore(tmp_path)) as one:
        allowed = await one.token("runtime", "operate", namespaces=("default",))
        reader = await one.token("reader", "read")
        editor = await one.token("editor", "edit")
        for path, method, body in (
            (LEASE, "PUT", wish()),
            (f"{LEASE}/mark", "POST", {**wish(), "mark": 1.0}),
            (f"{LEASE}/release", "POST", wish()),
        ):
            body = {name: body[name] for name in body if method == "PUT" or name != "ttl"}
            for other in (reader, editor):
                assert (await other(method, path, body)).status == 403
            elsewhere = path.replace("default", "shop")
            assert (await allowed(method, elsewhere, body)).status == 403
            assert (await allowed(method, path, body)).status in (200, 204)


@pytest.mark.parametrize(
    "body",
    [
        wish(ttl=0.0),
        wish(ttl=-1.0),
        wish(ttl=1e9),
        wish(""),
        wish("x" * 201),
        {"ttl": 1.0},
    ],
)
async def test_a_lease_that_nobody_could_mean_is_rejected(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    async with managing(store=FolderStore(tmp_path)) as one:
        assert (await one.call("PUT", LEASE, body)).status in (400, 422)
    assert lock_files(tmp_path) == []


async def test_a_lease_without_renewal_is_free_for_those_at_the_store(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    async with managing(store=store) as one:
        mine = store.lease("symbol/default/0199", 60.0, ADA)
        state = data(await one.call("PUT", LEASE, wish("bob", ttl=0.2, mark=5.0)))
        assert (state["granted"], state["holder"]["runtime"]) == (True, "bob")
        assert not await mine.take()
        assert mine.holder is not None
        assert mine.holder.runtime == "bob"
        await until(mine.take)
        assert mine.mark == 5.0
        late = {"holder": {"runtime": "bob"}, "mark": 6.0}
        assert data(await one.call("POST", f"{LEASE}/mark", late))["granted"] is False
        refused = data(await one.call("PUT", LEASE, wish("bob")))
        assert (refused["granted"], refused["holder"]["runtime"]) == (False, "ada")
        await mine.release()


async def test_an_api_that_ends_gives_back_what_it_held(tmp_path: Path) -> None:
    async with managing(store=FolderStore(tmp_path)) as one:
        assert data(await one.call("PUT", LEASE, wish("bob")))["granted"] is True
    store = FolderStore(tmp_path)
    await store.open()
    assert await asyncio.wait_for(store.lease("symbol/default/0199", 60.0, ADA).take(), 5)
    await store.close()


async def test_a_store_in_memory_grants_no_leases() -> None:
    async with managing() as one:
        reply = await one.call("PUT", LEASE, wish())
        assert reply.status == 501
        assert "grants no leases" in reply.text
