"""Whoever is made with a definition follows it, whatever kind of Spec it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.changes.plan import plan_delete
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import codes, everything, plan, read
from tests.runtime.worlds import put, remove

pytestmark = pytest.mark.anyio

BLOCK = """\
- kind: block
  name: greet
  params: {who: {type: string}}
  env: {WORD: {name: word}}
  inbounds: {in: [{name: say, port: in}]}
  specs: [{kind: snippet, name: say, language: text, code: '{{ WORD }} {{ who }}'}]
"""
STEP = BLOCK.replace("kind: block", "kind: step").replace(
    "  inbounds: {in: [{name: say, port: in}]}\n", ""
)
WORKFLOW = """\
- kind: workflow
  name: greet
  params: {who: {type: string}}
  env: {WORD: {name: word}}
  tasks:
    - {name: say, do: {kind: snippet, language: text, code: '{{ WORD }} {{ who }}'}}
"""
WORDS = "- {name: word, data: hello}\n- {name: other, data: welcome}\n"
DEFINITIONS = pytest.mark.parametrize(
    ("kind", "text"), [("block", BLOCK), ("step", STEP), ("workflow", WORKFLOW)]
)


def user(kind: str) -> str:
    """Return a Spec that is made with the definition."""
    return f"- {{kind: {kind}, name: mine, uses: greet, with: {{who: ada}}}}\n"


def holder(kind: str) -> str:
    """Return a Spec that holds one that is made with the definition."""
    return f"""\
- kind: step
  name: mine
  specs: [{{kind: {kind}, name: in, uses: greet, with: {{who: ada}}}}]
"""


@asynccontextmanager
async def running(*texts: str) -> AsyncIterator[Runtime]:
    """Provide a runtime of all kinds that looks at its store when it is asked to."""
    store = MemoryStore(each for text in texts for each in read(text))
    async with Runtime(store=store, kinds=everything(), watch=False) as rt:
        assert not rt.status().problems
        yield rt


async def write(rt: Runtime, text: str) -> LoadResult:
    """Apply a text as one change set."""
    return await put(rt, *read(text))


async def spec_named(rt: Runtime, name: str) -> Spec:
    """Return a stored Spec."""
    return next(spec for spec in await rt.store.specs() if spec.name == name)


@DEFINITIONS
@pytest.mark.parametrize("made", [user, holder])
async def test_a_changed_definition_goes_live_in_its_users(kind: str, text: str, made: Any) -> None:
    async with running(text, WORDS, made(kind)) as rt:
        assert await rt.send("mine", {}) == "hello ada"
        assert not (await write(rt, text.replace("WORD }} {{", "WORD }}, {{"))).rejected
        assert await rt.send("mine", {}) == "hello, ada"
        # Once more: whoever was made anew is still known as a user, and as a part of its holder.
        assert not (await write(rt, text.replace("name: word", "name: other"))).rejected
        assert await rt.send("mine", {}) == "welcome ada"
        mine = await spec_named(rt, "mine")
        assert {symbol.source for symbol in rt.table.all() if symbol.label.startswith("mine")} == {
            mine.id
        }
        await remove(rt, mine)
        assert not [symbol.label for symbol in rt.table.all() if symbol.label.startswith("mine")]


@DEFINITIONS
@pytest.mark.parametrize("made", [user, holder])
async def test_a_changed_value_of_a_definition_goes_live_in_its_users(
    kind: str, text: str, made: Any
) -> None:
    async with running(text, WORDS, made(kind)) as rt:
        changed = WORDS.replace("data: hello", "data: good day")
        assert not (await plan(rt.store, changed)).problems
        assert not (await write(rt, changed)).rejected
        assert await rt.send("mine", {}) == "good day ada"


async def test_a_value_that_comes_to_the_same_rebuilds_no_user() -> None:
    async with running(STEP, WORDS, holder("step")) as rt:
        before = {symbol.id: symbol.node for symbol in rt.table.all()}
        renoted = WORDS.replace("data: hello", "data: hello, annotations: {by: ada}")
        assert not (await write(rt, renoted)).changed
        assert {symbol.id: symbol.node for symbol in rt.table.all()} == before
        assert await rt.send("mine", {}) == "hello ada"


@DEFINITIONS
@pytest.mark.parametrize("made", [user, holder])
async def test_a_value_that_does_not_suit_a_user_is_a_problem(
    kind: str, text: str, made: Any
) -> None:
    text = text.replace("language: text", "language: cel").replace(" {{ who }}", "")
    async with running(text, "- {name: word, data: 1 + 1}", made(kind)) as rt:
        broken = "- {name: word, data: 1 +}"
        planned = codes(await plan(rt.store, broken))
        loaded = await write(rt, broken)
        assert loaded.rejected
        assert planned == [problem.code for problem in loaded.problems] == ["code"]


@DEFINITIONS
@pytest.mark.parametrize("made", [user, holder])
async def test_a_definition_with_users_is_neither_deleted_nor_renamed(
    kind: str, text: str, made: Any
) -> None:
    async with running(text, WORDS, made(kind)) as rt:
        greet = await spec_named(rt, "greet")
        assert codes(await plan_delete(rt.store, [greet], everything())) == ["missing-use"]
        renamed = read(text.replace("name: greet", f"id: {greet.id}\n  name: salute"))
        loaded = await put(rt, *renamed)
        assert [problem.code for problem in loaded.problems] == ["missing-use"]
        assert await rt.send("mine", {}) == "hello ada"
        # Both at once is fine: the users take the new name.
        both = made(kind).replace("uses: greet", "uses: salute")
        assert not (await write(rt, both)).rejected
        loaded = await remove(rt, *renamed)
        assert [problem.code for problem in loaded.problems] == ["missing-use"]
        assert await rt.send("mine", {}) == "hello ada"


async def test_a_new_user_of_a_name_that_a_definition_had_is_rejected() -> None:
    async with running(BLOCK, WORDS) as rt:
        greet = await spec_named(rt, "greet")
        renamed = read(BLOCK.replace("name: greet", f"id: {greet.id}\n  name: salute"))
        loaded = await put(rt, *renamed, *read(user("block")))
        assert [problem.code for problem in loaded.problems] == ["missing-use"]


async def test_a_definition_of_another_kind_is_wrong_in_the_plan_and_live() -> None:
    async with running(BLOCK, WORDS) as rt:
        planned = codes(await plan(rt.store, user("step")))
        loaded = await write(rt, user("step"))
        assert planned == [problem.code for problem in loaded.problems] == ["wrong-use"]


@pytest.mark.parametrize("before", [user("block"), "- {kind: nop, name: mine}"])
async def test_an_edited_task_is_bound_to_the_values_of_its_work(before: str) -> None:
    work = """\
- kind: workflow
  name: mine
  tasks:
    - name: say
      do: {kind: snippet, language: text, code: '{{ WORD }}', env: {WORD: {name: word}}}
"""
    async with running(BLOCK, WORDS, before) as rt:
        loaded = await write(rt, work)
        assert not loaded.problems
        assert await rt.send("mine", {}) == "hello"
