"""The contract, beside StoreContract, of a store that grants leases.

class TestMyStoreGrants(LeaseContract):
    def make(self, folder: Path) -> Store:
        return MyStore(...)

    lasting = True      # a holder that is gone keeps its lease until it ends
"""

import asyncio
from pathlib import Path
from typing import ClassVar

from heddle.specs.model.lease import Holder, Lease, LeaseStore, uptime
from heddle.specs.model.store import Store
from heddle.specs.stores.contract import Contract

ADA = Holder(runtime="ada", host="one", pid=1)
BOB = Holder(runtime="bob", host="two", pid=2)


def lease(store: Store, holder: Holder, ttl: float = 60.0, name: str = "timer") -> Lease:
    """Return the lease of this name in a store that grants leases."""
    if not isinstance(store, LeaseStore):
        raise TypeError(f"{store.url} grants no leases")
    return store.lease(name, ttl, holder)


class LeaseContract(Contract):
    """The promises of a store that grants leases, one a test."""

    lasting: ClassVar[bool] = False
    """Whether a lease ends by the clock, and not with its process."""

    def test_of_two_one_holds_it_and_both_know_who(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            ada, bob = lease(store, ADA), lease(store, BOB)
            assert await ada.take()
            assert not await bob.take()
            assert (ada.holder, bob.holder) == (ADA, ADA)
            assert ada.expires > uptime() + 50
            # To take it again is to renew it.
            assert await ada.take()
            assert await lease(store, BOB, name="other").take()

        self.run(tmp_path, story)

    def test_what_is_released_is_free_at_once(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            ada, bob = lease(store, ADA), lease(store, BOB)
            assert await ada.take()
            await ada.release()
            assert await bob.take()
            assert not await ada.take()
            await ada.release()
            assert await bob.take()

        self.run(tmp_path, story)

    def test_who_comes_next_knows_what_was_done_last(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            ada, bob = lease(store, ADA), lease(store, BOB)
            assert await ada.take()
            assert ada.mark is None
            assert await ada.record(1000.5)
            # Our own answer may have been lost.
            assert await ada.record(1000.5)
            assert await ada.take(2000.0)
            await ada.release(1500.25)
            assert await bob.take()
            assert bob.mark == 1500.25
            assert not await ada.record(3000.0)

        self.run(tmp_path, story)

    def test_many_who_want_it_at_once_are_one_holder(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            many = [lease(store, Holder(runtime=f"r{number}")) for number in range(20)]
            granted = await asyncio.gather(*(each.take() for each in many))
            assert sum(granted) == 1

        self.run(tmp_path, story)

    def test_who_lost_it_cannot_record_any_more(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            if not self.lasting:
                return
            ada, bob = lease(store, ADA, 0.2), lease(store, BOB, 0.2)
            assert await ada.take(10.0)
            loop = asyncio.get_running_loop()
            began = loop.time()
            while not await bob.take():  # noqa: ASYNC110 - a lease tells nobody that it ended
                await asyncio.sleep(0.02)
            assert loop.time() - began > 0.1
            assert ada.expires <= uptime()
            assert not await ada.record(11.0)
            assert bob.mark == 10.0
            assert await bob.record(12.0)

        self.run(tmp_path, story)
