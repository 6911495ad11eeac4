"""The contract of every Store: subclass StoreContract in a test module, and say how one is made.

    class TestMyStore(StoreContract):
        def make(self, folder: Path) -> Store:
            return MyStore(...)

Every test gets a folder of its own from pytest (`tmp_path`). `make` gives a Store that is not open
yet, and for the same folder always one with the same contents, if those are `kept`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from heddle.schemas.errors import ConflictError, NotFoundError, StoreError
from heddle.schemas.link import Link
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Change, Delete, Put, Store
from heddle.specs.model.value import Value, ValueSource
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.contract_story import AWKWARD, Watch, spec, value


class Contract(ABC):
    """The base of contracts: it makes a store, and runs a story with it."""

    kept = True
    """Whether what is stored is still there in a second Store made for the same folder."""

    @abstractmethod
    def make(self, folder: Path) -> Store:
        """Return a Store, not open yet."""

    def run(self, folder: Path, story: Callable[[Store], Awaitable[None]]) -> None:
        """Run a story with an open Store."""

        async def write_all() -> None:
            store = self.make(folder)
            await store.open()
            try:
                await story(store)
            finally:
                await store.close()

        asyncio.run(write_all())


class StoreContract(Contract):
    """The promises of a Store, one a test."""

    # --- keeping ---

    def test_what_is_put_is_found(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample = spec(
                "one",
                "router",
                annotations={"team": "web"},
                env={"PORT": Binding(data=8000), "DB": Binding(name="database")},
                ports={
                    "out[0]": (Link("two"), Link("three", None, "side")),
                    "error": (Link("two"),),
                },
                fields={"routes": [{"method": "GET", "path": "/users/:id", "port": "out[0]"}]},
            )
            secret = value("database", {"url": "pg://x", "pool": 4}, secret=True)
            await store.apply([Put(resource=sample), Put(resource=secret)])
            assert list(await store.specs()) == [sample]
            assert list(await store.values()) == [secret]
            assert list(await store.problems()) == []

        self.run(tmp_path, story)

    def test_awkward_data_comes_back_as_it_was(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            awkward = spec("awkward", fields=AWKWARD)
            await store.apply([Put(resource=awkward), Put(resource=value("awkward", AWKWARD))])
            (stored,) = await store.specs()
            assert stored.fields == AWKWARD
            assert list(stored.fields) == list(AWKWARD)
            (held,) = await store.values()
            assert held.data == AWKWARD
            assert list(await store.problems()) == []

        self.run(tmp_path, story)

    def test_a_value_stays_as_it_says_its_data(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            key = new_key()
            sealed = [
                Keyring.of(key).seal(value(name, f"hunter2 {name}", secret=True))
                for name in ("first", "second")
            ]
            outside = [
                value("env", None, source=ValueSource(env="DB_PASSWORD"), secret=True),
                value("file", None, source=ValueSource(file="/run/secrets/db", format="json")),
            ]
            every = [*sealed, *outside, value("third", "hunter2 third")]
            await store.apply([Put(resource=each) for each in every])
            stored = {each.name: each for each in await store.values()}
            assert stored == {each.name: each for each in every}
            assert stored["file"].source == ValueSource(file="/run/secrets/db", format="json")
            assert Keyring.of(key).open(stored["first"]) == "hunter2 first"
            # From one way to the next and back.
            turned = [
                msgspec.structs.replace(every[4], data=None, source=ValueSource(env="THIRD")),
                msgspec.structs.replace(outside[0], data="hunter2 env", source=None),
                Keyring.of(key).seal(msgspec.structs.replace(outside[1], source=None, data=[1])),
            ]
            await store.apply([Put(resource=each) for each in turned])
            stored = {each.name: each for each in await store.values()}
            assert [stored["third"], stored["env"], stored["file"]] == turned

        self.run(tmp_path, story)

    def test_find_narrows_by_namespace_and_id(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            here, there = spec("one"), spec("one", namespace="other")
            await store.apply([Put(resource=here), Put(resource=there)])
            assert list(await store.specs("other")) == [there]
            assert list(await store.specs("nowhere")) == []
            assert list(await store.specs(ids=[here.id, new_id()])) == [here]
            assert list(await store.specs("other", ids=[here.id])) == []
            assert {each.id for each in await store.specs()} == {here.id, there.id}

        self.run(tmp_path, story)

    def test_a_put_replaces_what_was_there_as_a_whole(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            first = spec("one", fields={"a": 1, "b": 2}, ports={"out": (Link("x"),)})
            await store.apply([Put(resource=first)])
            await store.apply([Put(resource=spec("one", fields={"b": 3}))])
            (stored,) = await store.specs()
            assert dict(stored.fields) == {"b": 3}
            assert dict(stored.ports) == {}

        self.run(tmp_path, story)

    def test_specs_and_values_may_share_a_name(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one")), Put(resource=value("one", 1))])
            assert len(await store.specs()) == len(await store.values()) == 1

        self.run(tmp_path, story)

    def test_nameless_specs_live_side_by_side(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            first, second = spec(None, fields={"a": 1}), spec(None, fields={"a": 2})
            await store.apply([Put(resource=first), Put(resource=second)])
            changed = msgspec.structs.replace(second, fields={"a": 3})
            await store.apply([Put(resource=changed)])
            stored = {each.id: each for each in await store.specs()}
            assert stored == {first.id: first, second.id: changed}
            await store.apply([Delete(type=Spec, id=first.id)])
            assert list(await store.specs()) == [changed]

        self.run(tmp_path, story)

    def test_a_name_may_change(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            (stored,) = await store.specs()
            await store.apply([Put(resource=msgspec.structs.replace(stored, name="two"))])
            (renamed,) = await store.specs()
            assert (renamed.id, renamed.name) == (stored.id, "two")
            await store.apply([Put(resource=spec("one", id=new_id()))])
            assert len(await store.specs()) == 2

        self.run(tmp_path, story)

    def test_what_is_stored_is_there_the_next_time(self, tmp_path: Path) -> None:
        sample, two = (
            spec("one", fields=AWKWARD),
            spec(None, "router", fields={"routes": [{"a": 1}]}),
        )

        async def write(store: Store) -> None:
            await store.apply(
                [Put(resource=sample), Put(resource=two), Put(resource=value("v", AWKWARD))]
            )

        async def read(store: Store) -> None:
            assert {each.id: each for each in await store.specs()} == {
                sample.id: sample,
                two.id: two,
            }
            assert [each.data for each in await store.values()] == [AWKWARD]

        self.run(tmp_path, write)
        if self.kept:
            self.run(tmp_path, read)

    # --- revisions ---

    def test_each_change_gives_a_greater_revision(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            (first,) = await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            (second,) = await store.apply([Put(resource=spec("one", fields={"a": 2}))])
            assert 0 < first.revision < second.revision
            (stored,) = await store.specs()
            assert stored.revision == second.revision

        self.run(tmp_path, story)

    def test_the_same_again_is_no_change(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            (first,) = await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            (again,) = await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            assert again.revision == first.revision

        self.run(tmp_path, story)

    def test_a_stale_revision_conflicts_and_changes_nothing(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            (first,) = await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            await store.apply([Put(resource=spec("one", fields={"a": 2}), revision=first.revision)])
            late: list[Change] = [
                Put(resource=spec("two")),
                Put(resource=spec("one", fields={"a": 3}), revision=first.revision),
            ]
            assert await rejected(store, late, ConflictError)
            stale = Delete(type=Spec, id=first.id, revision=first.revision)
            assert await rejected(store, [stale], ConflictError)
            (stored,) = await store.specs()
            assert dict(stored.fields) == {"a": 2}

        self.run(tmp_path, story)

    def test_revision_zero_puts_only_what_is_new(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"), revision=0)])
            assert await rejected(
                store, [Put(resource=spec("one", fields={"a": 1}), revision=0)], ConflictError
            )

        self.run(tmp_path, story)

    def test_the_newest_revision_grows_with_what_changes_something(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            (first,) = await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            newest = await store.newest()
            assert newest >= first.revision
            await store.apply([Put(resource=spec("one", fields={"a": 1}))])
            assert await store.newest() == newest
            (second,) = await store.apply([Put(resource=spec("one", fields={"a": 2}))])
            assert await store.newest() >= second.revision > first.revision

        self.run(tmp_path, story)

    # --- change sets ---

    def test_a_taken_name_conflicts(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            thief = spec("one", id=new_id(), fields={"a": 1})
            assert await rejected(store, [Put(resource=thief)], ConflictError)
            twice = [
                Put(resource=spec("two", id=new_id())),
                Put(resource=spec("two", id=new_id())),
            ]
            assert await rejected(store, twice, ConflictError)
            assert [each.name for each in await store.specs()] == ["one"]

        self.run(tmp_path, story)

    def test_two_may_swap_their_names(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample, two = spec("one", fields={"a": 1}), spec("two", fields={"a": 2})
            await store.apply([Put(resource=sample), Put(resource=two)])
            swapped = [
                msgspec.structs.replace(sample, name="two"),
                msgspec.structs.replace(two, name="one"),
            ]
            await store.apply([Put(resource=each) for each in swapped])
            assert {each.id: each.name for each in await store.specs()} == {
                sample.id: "two",
                two.id: "one",
            }

        self.run(tmp_path, story)

    def test_a_name_is_free_in_the_change_set_that_drops_it(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            old, new = spec("one"), spec("one", id=new_id(), fields={"a": 1})
            await store.apply([Put(resource=old)])
            await store.apply([Delete(type=Spec, id=old.id), Put(resource=new)])
            assert list(await store.specs()) == [new]

        self.run(tmp_path, story)

    def test_deleting_what_is_not_there_fails_as_a_whole(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            changes: list[Change] = [
                Put(resource=spec("two")),
                Delete(type=Spec, id=new_id()),
            ]
            assert await rejected(store, changes, NotFoundError)
            wrong_sort = Delete(type=Value, id=spec("one").id)
            assert await rejected(store, [wrong_sort], NotFoundError)
            assert [each.name for each in await store.specs()] == ["one"]

        self.run(tmp_path, story)

    # --- watching ---

    def test_a_change_set_reaches_watchers_once(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            watch = await Watch.begin(store)
            sample, two, held = spec("one"), spec("two"), value("v", 1)
            await store.apply([Put(resource=each) for each in (sample, two, held)])
            changes = await watch.next()
            assert changes.specs == {sample.id, two.id}
            assert changes.values == {held.id}
            assert changes.revision >= max(each.revision for each in await store.specs())
            await store.apply([Put(resource=spec("last"))])
            assert (await watch.next()).specs == {spec("last").id}
            await watch.stop()

        self.run(tmp_path, story)

    def test_what_is_reported_can_be_read(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            watch = await Watch.begin(store)
            sample = spec("one", fields={"a": 1})
            await store.apply([Put(resource=sample)])
            (id_,) = (await watch.next()).specs
            assert list(await store.specs(ids=[id_])) == [sample]
            await store.apply([Delete(type=Spec, id=id_)])
            assert (await watch.next()).specs == {id_}
            assert list(await store.specs(ids=[id_])) == []
            await watch.stop()

        self.run(tmp_path, story)

    def test_what_changes_nothing_is_not_reported(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            watch = await Watch.begin(store)
            await store.apply([Put(resource=spec("one"))])
            await rejected(store, [Delete(type=Spec, id=new_id())], NotFoundError)
            await store.apply([Put(resource=spec("two"))])
            assert (await watch.next()).specs == {spec("two").id}
            await watch.stop()

        self.run(tmp_path, story)

    def test_every_watcher_hears_of_a_change(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            first, second = await Watch.begin(store), await Watch.begin(store)
            await store.apply([Put(resource=spec("one"))])
            assert (await first.next()).specs == (await second.next()).specs == {spec("one").id}
            await first.stop()
            await store.apply([Put(resource=spec("two"))])
            assert (await second.next()).specs == {spec("two").id}
            await second.stop()

        self.run(tmp_path, story)

    def test_another_store_at_the_same_place_tells_it_too(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            if not self.kept:
                return
            other = self.make(tmp_path)
            await other.open()
            try:
                watch = await Watch.begin(store)
                await other.apply([Put(resource=spec("one", fields={"a": 1}))])
                await watch.until([spec("one").id])
                assert [each.name for each in await store.specs()] == ["one"]
                await watch.stop()
            finally:
                await other.close()

        self.run(tmp_path, story)

    # --- opening and closing ---

    def test_closing_ends_every_watch(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            watch = await Watch.begin(store)
            await store.close()
            assert await watch.ended()

        self.run(tmp_path, story)

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.close()
            assert await rejected(store, [Put(resource=spec("one"))], StoreError)

        self.run(tmp_path, story)

    def test_the_address_names_the_store(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            assert "://" in store.url

        self.run(tmp_path, story)


async def rejected(store: Store, changes: Sequence[Change], error: type[StoreError]) -> bool:
    """Return whether the store rejects the changes with this very error."""
    try:
        await store.apply(changes)
    except StoreError as raised:
        return isinstance(raised, error)
    return False
