"""The contract, beside StoreContract, of a store that makes the change set of one key once."""

from pathlib import Path
from uuid import uuid4

import pytest

from heddle.schemas.errors import ConflictError
from heddle.specs.model.keyed import KeyedStore
from heddle.specs.model.names import new_id
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put, Store
from heddle.specs.stores.contract import Contract
from heddle.specs.stores.contract_story import spec


def keyed(store: Store) -> KeyedStore:
    """Return the store as one that knows keys."""
    if not isinstance(store, KeyedStore):
        raise TypeError(f"{store.url} does not know keys")
    return store


class KeyedContract(Contract):
    """The promises of a store that makes the change set of one key once, one a test."""

    def test_one_key_is_one_change_set(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            note = Note("ada", "once", uuid4())
            changes = [Put(resource=spec("one", fields={"n": 1}), revision=0)]
            (first,) = await store.apply(changes, note)
            (again,) = await store.apply(changes, note)
            assert (again, again.revision) == (first, first.revision)
            made = await keyed(store).keyed(note.key or new_id())
            assert made is not None
            assert (made.number, made.message) == (first.revision, "once")
            assert await store.newest() == first.revision

        self.run(tmp_path, story)

    def test_a_change_set_that_is_repeated_late_undoes_nothing(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            note = Note("ada", "mine", uuid4())
            await store.apply([Put(resource=spec("one", fields={"n": 1}))], note)
            await store.apply([Put(resource=spec("one", fields={"n": 2}))], Note("bob", "later"))
            (again,) = await store.apply([Put(resource=spec("one", fields={"n": 1}))], note)
            assert isinstance(again, Spec)
            assert again.fields == {"n": 1}
            (now,) = await store.specs()
            assert now.fields == {"n": 2}

        self.run(tmp_path, story)

    def test_a_delete_is_made_once_too(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample = spec("one")
            (put,) = await store.apply([Put(resource=sample)])
            gone = [Delete(type=Spec, id=sample.id, revision=put.revision)]
            note = Note("ada", "gone", uuid4())
            for _ in range(2):
                assert list(await store.apply(gone, note)) == []
            assert list(await store.specs()) == []

        self.run(tmp_path, story)

    def test_a_key_of_another_change_set_conflicts(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            note = Note("ada", "first", uuid4())
            await store.apply([Put(resource=spec("one"))], note)
            with pytest.raises(ConflictError, match="made of other changes under the same key"):
                await store.apply([Put(resource=spec("two"))], note)
            assert await keyed(store).keyed(uuid4()) is None

        self.run(tmp_path, story)
