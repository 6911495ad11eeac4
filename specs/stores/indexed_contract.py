"""The contract, beside StoreContract, of a store that finds Specs by what they mention."""

from pathlib import Path

from heddle.schemas.link import Link
from heddle.specs.model.mentions import BLANK
from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Delete, IndexedStore, Put, Resource, Store
from heddle.specs.stores.contract import Contract
from heddle.specs.stores.contract_story import spec, value


def indexed(store: Store) -> IndexedStore:
    """Return the store as one with an index."""
    if not isinstance(store, IndexedStore):
        raise TypeError(f"{store.url} has no index")
    return store


async def names_of_mentioning(store: Store, *words: str, namespace: str = "default") -> list[str]:
    """Return the names of the Specs that mention one of these, in order."""
    specs = await indexed(store).mentioning(namespace, words)
    return sorted(str(each.name) for each in specs)


class IndexedContract(Contract):
    """The promises of a store with an index, one a test."""

    def test_specs_and_values_are_found_by_name(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            many: list[Resource] = [spec("one"), spec("two"), value("one", 1)]
            many.append(spec("one", namespace="other"))
            await store.apply([Put(resource=each) for each in many])
            resources = await indexed(store).named("default", ["one", "gone"])
            assert {(type(each).__name__, each.name, each.namespace) for each in resources} == {
                ("Spec", "one", "default"),
                ("Value", "one", "default"),
            }
            assert not await indexed(store).named("default", [])
            # Neither can be in every database, but is not the name without it either.
            assert not await indexed(store).named("default", ["one\0", "one\ud800"])

        self.run(tmp_path, story)

    def test_a_name_is_found_where_it_is_now(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            id_ = new_id()
            await store.apply([Put(resource=spec("before", id=id_))])
            await store.apply([Put(resource=spec("after", id=id_))])
            assert not await indexed(store).named("default", ["before"])
            (resource,) = await indexed(store).named("default", ["after"])
            assert resource.id == id_

        self.run(tmp_path, story)

    def test_who_is_linked_or_bound_or_names_it_in_a_field_mentions_it(
        self, tmp_path: Path
    ) -> None:
        async def story(store: Store) -> None:
            by_id = {"out": (Link(id=named_id("spec", "default", "end")),)}
            many = [
                spec("by-name", ports={"out": (Link(name="end"),)}),
                spec("by-id", ports=by_id),
                spec("inside", ports={"out": (Link(name="outer/end"),)}),
                spec("bound", env={"A": Binding(name="key")}),
                spec("caller", fields={"targets": ["end", "grüße"]}),
                spec("deep", fields={"specs": [{"kind": "nop", "uses": "half"}]}),
                spec("blank", "call", env={"A": Binding(data="x")}, fields={"target": "{{ A }}"}),
                spec("end"),
            ]
            await store.apply([Put(resource=each) for each in many])
            assert await names_of_mentioning(store, "end") == ["by-name", "caller"]
            assert await names_of_mentioning(store, str(named_id("spec", "default", "end"))) == [
                "by-id"
            ]
            assert await names_of_mentioning(store, "outer") == ["inside"]
            assert await names_of_mentioning(store, "key") == ["bound"]
            assert await names_of_mentioning(store, "half", "grüße") == ["caller", "deep"]
            assert await names_of_mentioning(store, f"{BLANK}call") == ["blank"]
            assert await names_of_mentioning(store, "end", namespace="other") == []
            assert await names_of_mentioning(store, "nobody") == []

        self.run(tmp_path, story)

    def test_the_index_follows_what_changes(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            leads = spec("leads", ports={"out": (Link(name="end"),)})
            await store.apply([Put(resource=leads)])
            assert await names_of_mentioning(store, "end") == ["leads"]
            elsewhere = spec("leads", ports={"out": (Link(name="elsewhere"),)})
            await store.apply([Put(resource=elsewhere)])
            assert await names_of_mentioning(store, "end") == []
            assert await names_of_mentioning(store, "elsewhere") == ["leads"]
            await store.apply([Delete(type=Spec, id=leads.id)])
            assert await names_of_mentioning(store, "elsewhere") == []

        self.run(tmp_path, story)
