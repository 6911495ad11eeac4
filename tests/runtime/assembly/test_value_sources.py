"""Values from outside and sealed ones in a running runtime: what changes is reloaded, and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from heddle.runtime.events.events import Event
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import NoSymbolError, Runtime
from heddle.schemas.errors import StoreError
from heddle.specs.model.mask import MASK
from heddle.specs.model.store import Put
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import KeyFile, Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.memory import MemoryStore
from tests.support import running, stored

pytestmark = pytest.mark.anyio

OLD, NEW = new_key(), new_key()


def saying(name: str, value: str) -> str:
    """Return a snippet that answers with a Value."""
    return (
        f"- {{kind: snippet, name: {name}, language: text, code: 'it is {{{{ .V }}}}',"
        f" env: {{V: {{name: {value}}}}}}}\n"
    )


@asynccontextmanager
async def told(rt: Runtime, *events: str) -> AsyncIterator[list[Event]]:
    """Provide the next event of these, once the block is left."""
    found: list[Event] = []
    waiting = asyncio.ensure_future(rt.events.wait(*events))
    await asyncio.sleep(0)
    yield found
    async with asyncio.timeout(20):
        found.append(await waiting)


def since(rt: Runtime, name: str) -> int:
    symbol = rt.table.get(name)
    assert symbol is not None
    return symbol.since


async def test_a_file_that_changes_reloads_exactly_what_is_bound_to_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1\n")
    two.write_text("2\n")
    values = f"- {{name: one, from: {{file: {one}}}}}\n- {{name: two, from: {{file: {two}}}}}\n"
    async with running(saying("a", "one"), saying("b", "two"), values) as rt:
        assert [await rt.send(name) for name in "ab"] == ["it is 1", "it is 2"]
        before = since(rt, "b")
        async with told(rt, "generation live") as events:
            one.write_text("hello\n")
        assert events[0].reason == "changed a"
        assert [await rt.send(name) for name in "ab"] == ["it is hello", "it is 2"]
        assert since(rt, "b") == before


async def test_a_file_that_goes_changes_nothing_and_a_new_one_is_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "later" / "secret"
    values = f"- {{name: v, secret: true, from: {{file: {path}}}}}\n"
    async with running(saying("a", "v"), values) as rt:
        [problem] = rt.status().problems
        assert problem.code == "missing-source"
        with pytest.raises(NoSymbolError):
            await rt.send("a")
        async with told(rt, "generation live"):
            path.parent.mkdir()
            path.write_text("hunter2-first")
        assert await rt.send("a") == "it is hunter2-first"
        async with told(rt, "change rejected") as events:
            path.unlink()
        assert "no such file" in events[0].problems[0].found
        assert await rt.send("a") == "it is hunter2-first"
        async with told(rt, "generation live"):
            path.write_text("hunter2-second")
        assert await rt.send("a") == "it is hunter2-second"
        assert rt.status().problems == ()


async def test_a_link_that_is_swapped_is_followed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(name)
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "secret").symlink_to("data/secret")
    values = f"- {{name: v, from: {{file: {tmp_path}/secret}}}}\n"
    async with running(saying("a", "v"), values) as rt:
        assert await rt.send("a") == "it is one"
        async with told(rt, "generation live"):
            (tmp_path / "next").symlink_to("two")
            os.replace(tmp_path / "next", tmp_path / "data")  # noqa: PTH105 - of a link
        assert await rt.send("a") == "it is two"


async def test_file_with_mistake_in_it_is_rejected_without_saying_what_it_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret.json"
    path.write_text('{"pw": "hunter2"}')
    values = f"- {{name: v, secret: true, from: {{file: {path}, format: json}}}}\n"
    flow = "- {kind: snippet, name: a, language: text, code: '{{ .V.pw }}', env: {V: {name: v}}}\n"
    async with running(flow, values) as rt:
        async with told(rt, "change rejected") as events:
            path.write_text('{"pw": "hunter3"')
        assert "it is not JSON" in events[0].problems[0].found
        assert "hunter3" not in repr(rt.events.recent)
        assert await rt.send("a") == "hunter2"


async def test_sealing_anew_reloads_nothing_and_other_data_does() -> None:
    sealed = Keyring.of(OLD).seal(_value("v", "hunter2-a"))
    store = stored(saying("a", "v"), saying("b", "w"), "- {name: w, data: 1}\n")
    await store.open()
    await store.apply([Put(resource=sealed)])
    async with Runtime(store=store, keys=Keyring.of(NEW, OLD)) as rt:
        assert await rt.send("a") == "it is hunter2-a"
        generation, was = rt.status().generation, since(rt, "a")
        loaded = await _put(rt, Keyring.of(NEW, OLD).seal(sealed))
        assert loaded.generation is None
        assert not loaded.problems
        assert (rt.status().generation, since(rt, "a")) == (generation, was)
        loaded = await _put(rt, Keyring.of(NEW).seal(_value("v", "hunter2-b")))
        assert loaded.changed == ("a",)
        assert await rt.send("a") == "it is hunter2-b"


async def test_with_a_wrong_key_the_rest_runs_and_says_why() -> None:
    store = stored(saying("a", "v"), saying("b", "w"), "- {name: w, data: 1}\n")
    await store.open()
    await store.apply([Put(resource=Keyring.of(OLD).seal(_value("v", "hunter2-a")))])
    async with Runtime(store=store, keys=Keyring.of(NEW)) as rt:
        assert await rt.send("b") == "it is 1"
        states = {one.name: one.state for one in rt.status().symbols}
        assert states == {"a": "rejected", "b": "active"}
        [problem] = rt.status().problems
        assert problem.code == "missing-key"
        assert f'the Value "v" is sealed with the key {OLD.id}' in problem.found
        [event] = [each for each in rt.events.recent if each.event == "specs left out"]
        assert event.problems == (problem,)


async def test_a_key_that_comes_into_the_file_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(NEW.text)
    path.chmod(0o644)
    store = stored(saying("a", "v"))
    await store.open()
    await store.apply([Put(resource=Keyring.of(OLD).seal(_value("v", "hunter2-a")))])
    async with Runtime(store=store, keys=Keyring([KeyFile(str(path))])) as rt:
        [exposed] = [each for each in rt.events.recent if each.event == "keys exposed"]
        assert f"the key file {path} can be read by others" in exposed.reason
        async with told(rt, "generation live"):
            path.write_text(f"{NEW.text}\n{OLD.text}")
        assert await rt.send("a") == "it is hunter2-a"
        assert [each.data["keys"] for each in rt.events.recent if each.event == "keys changed"] == [
            [NEW.id, OLD.id]
        ]


async def test_a_place_of_keys_that_has_none_is_told_at_the_start(tmp_path: Path) -> None:
    store = stored(saying("a", "v"))
    await store.open()
    await store.apply([Put(resource=Keyring.of(OLD).seal(_value("v", "hunter2-a")))])
    async with Runtime(store=store, keys=Keyring([KeyFile(str(tmp_path / "gone"))])) as rt:
        [event] = [each for each in rt.events.recent if each.event == "keys missing"]
        assert event.reason == f"the file {tmp_path}/gone: no such file or directory"


async def test_a_sealed_secret_is_masked_in_what_a_flow_says_of_itself() -> None:
    store = stored(
        "kind: snippet\nname: a\nlanguage: python\nenv: {V: {name: v}}\n"
        "code: |\n  def main(payload):\n    raise ValueError(repr('''{{ .V }}'''))\n"
    )
    await store.open()
    await store.apply([Put(resource=Keyring.of(OLD).seal(_value("v", 'it\'s "hunter2"-a.')))])
    async with Runtime(store=store, keys=Keyring.of(OLD)) as rt:
        answer = await rt.send("a")
        assert isinstance(answer, Error)
        told = rt.events.failed("a flow failed", answer)
        assert "hunter2" not in repr(told)
        assert MASK in told.reason


async def _put(rt: Runtime, value: Value) -> Any:
    """Put a Value and load it, as the watcher does."""
    from heddle.specs.model.store import ChangeSet

    await rt.store.apply([Put(resource=value)])
    return await rt.load(ChangeSet(values=frozenset({value.id})))


def _value(name: str, data: Any) -> Value:
    from heddle.specs.stores.contract_story import value

    return value(name, data, secret=True)


class Away(MemoryStore):
    """A memory store that cannot be read for a while."""

    gone = False

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """As ever, or StoreError."""
        if self.gone:
            raise StoreError("the store is away")
        return await super().values(namespace, ids)


async def test_a_change_outside_is_not_lost_while_the_store_is_away(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("one")
    before = stored(saying("a", "v"), f"- {{name: v, from: {{file: {path}}}}}\n")
    await before.open()
    store = Away([*await before.specs(), *await before.values()])
    async with Runtime(store=store) as rt:
        async with told(rt, "load failed") as events:
            store.gone = True
            path.write_text("two")
        assert events[0].data["again"] == 1.0
        assert await rt.send("a") == "it is one"
        async with told(rt, "generation live"):
            store.gone = False
        assert await rt.send("a") == "it is two"
