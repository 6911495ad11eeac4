"""A change set is planned and checked first; then it is made whole, or not at all."""

import pytest

from heddle.runtime.changes.apply import match
from heddle.runtime.changes.plan import apply_plan, plan_delete
from heddle.schemas.errors import ConflictError, NotFoundError, StoreError
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Put
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import FLOW, codes, do, plan, read, said, store_of

pytestmark = pytest.mark.anyio

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
HELLO = "{kind: snippet, name: pong, language: text, code: hello}"


async def names(store: MemoryStore, namespace: str = "default") -> list[str]:
    return sorted(spec.name or "-" for spec in await store.specs(namespace))


async def test_a_plan_writes_nothing_and_tells_each_field() -> None:
    async with store_of(FLOW) as store:
        planned = await plan(store, HELLO)
        assert said(planned) == [("updated", "pong")]
        assert [each.at for each in planned.differences[0].details] == ["code"]
        assert await store.newest() == 1
        applied = await apply_plan(store, planned, Note("ada", "politer"))
        assert (applied.revision, applied.namespaces) == (2, ("default",))
        newest = await store.revision(2)
        assert (newest.author, newest.message) == ("ada", "politer")


async def test_what_changes_nothing_is_no_revision() -> None:
    async with store_of(FLOW) as store:
        applied = await do(store, FLOW)
        assert {what for what, _ in said(applied)} == {"unchanged"}
        assert (applied.revision, await store.newest()) == (0, 1)


async def test_one_wrong_spec_of_fifty_and_nothing_is_written() -> None:
    many = "".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(49))
    async with store_of(FLOW) as store:
        applied = await do(store, many + "- {kind: nop, name: wrong, colour: red}\n")
        assert codes(applied) == ["unknown-field"]
        assert (applied.revision, applied.differences) == (0, ())
        assert await names(store) == ["other", "pong", "start"]


async def test_prune_deletes_what_the_files_do_not_name_in_their_namespaces_only() -> None:
    shop = "- {kind: nop, name: kept, namespace: shop}\n"
    async with store_of(FLOW + shop) as store:
        planned = await plan(store, FLOW.replace("- {kind: nop, name: other}\n", ""), prune=True)
        assert said(planned)[-1] == ("deleted", "other")
        await apply_plan(store, planned)
        assert await names(store) == ["pong", "start"]
        assert await names(store, "shop") == ["kept"]


async def test_prune_leaves_values_alone_where_the_files_hold_none() -> None:
    async with store_of("- {kind: nop, name: a}\n- {name: v, data: 1}\n") as store:
        await do(store, "{kind: nop, name: b}", prune=True)
        assert await names(store) == ["b"]
        assert [each.name for each in await store.values()] == ["v"]
        await do(store, "{name: w, data: 2}", prune=True)
        assert [each.name for each in await store.values()] == ["w"]
        assert await names(store) == ["b"]


async def test_who_is_left_behind_by_a_prune_is_a_problem() -> None:
    async with store_of(FLOW) as store:
        start = "{kind: pipe, name: start, ports: {out: [{name: pong, port: in}]}}"
        planned = await plan(store, start, prune=True)
        assert codes(planned) == ["left-behind"]
        assert planned.problems[0].path == "start.ports.out"
        assert '"pong" goes with this change' in planned.problems[0].found
        assert (await apply_plan(store, planned)).revision == 0
        # Together with whoever needs it, it may go.
        assert not (await plan(store, "{kind: nop, name: other}", prune=True)).problems


async def test_who_is_left_behind_by_rename_or_without_its_value_is_problem() -> None:
    (pong,) = (each for each in read(FLOW) if each.name == "pong")
    async with store_of(FLOW) as store:
        renamed = f"{{kind: nop, id: {pong.id}, name: pang}}"
        assert codes(await plan(store, renamed)) == ["left-behind"]
        # Somebody else takes the name at once.
        heir = f"{{kind: nop, id: {ID}, name: pong}}"
        assert not (await plan(store, f"- {renamed}\n- {heir}\n")).problems
    bound = "- {kind: snippet, name: s, language: text, code: '{{ V }}', env: {V: {name: v}}}\n"
    async with store_of(bound + "- {name: v, data: 1}\n") as store:
        planned = await plan_delete(store, await store.values())
        assert codes(planned) == ["left-behind"]
        assert planned.problems[0].path == "s.env.V"


async def test_a_link_to_what_may_come_later_is_no_problem() -> None:
    async with store_of(FLOW) as store:
        later = "{kind: pipe, name: early, ports: {out: [{name: nobody, port: in}]}}"
        assert not (await plan(store, later)).problems


async def test_what_was_changed_between_the_plan_and_its_making_is_a_clash() -> None:
    async with store_of(FLOW) as store:
        mine = await plan(store, HELLO)
        await do(store, HELLO.replace("hello", "theirs"))
        applied = await apply_plan(store, mine)
        assert (applied.revision, len(applied.clashes)) == (0, 1)
        clash = applied.clashes[0]
        assert isinstance(clash.base, Spec)
        assert isinstance(clash.mine, Spec)
        assert isinstance(clash.theirs, Spec)
        sides = [each.fields["code"] for each in (clash.base, clash.mine, clash.theirs)]
        assert sides == ["pong", "hello", "theirs"]
        assert str(clash) == "spec pong was changed by somebody else in the meantime"
        (pong,) = (each for each in await store.specs() if each.name == "pong")
        assert pong.fields["code"] == "theirs"


async def test_what_was_created_or_deleted_meanwhile_is_a_clash_too() -> None:
    async with store_of(FLOW) as store:
        mine = await plan(store, "{kind: nop, name: new}")
        await do(store, "{kind: pipe, name: new}")
        (clash,) = (await apply_plan(store, mine)).clashes
        assert "was created by somebody else" in str(clash)
        mine = await plan_delete(
            store, [each for each in await store.specs() if each.name == "new"]
        )
        await apply_plan(store, mine)
        (clash,) = (await apply_plan(store, mine)).clashes
        assert "was deleted by somebody else" in str(clash)


async def test_a_base_keeps_what_others_changed_since() -> None:
    async with store_of(FLOW) as store:
        await do(store, HELLO)
        # What was read at revision 1 still says `pong`; only `other` was changed in it.
        mine = FLOW.replace("kind: nop, name: other", "kind: pipe, name: other")
        applied = await do(store, mine, base=1)
        assert ("unchanged", "pong") in said(applied)
        found = {each.name: each for each in await store.specs()}
        assert (found["pong"].fields["code"], found["other"].kind) == ("hello", "pipe")


async def test_a_base_makes_a_clash_of_what_both_changed() -> None:
    async with store_of(FLOW) as store:
        await do(store, HELLO)
        mine = FLOW.replace("code: pong", "code: mine")
        applied = await do(store, mine, base=1)
        assert [each.resource.label for each in applied.clashes] == ["pong"]
        assert await store.newest() == 2
        # What both made alike is none, and without a base the last one wins.
        assert not (await do(store, FLOW.replace("code: pong", "code: hello"), base=1)).clashes
        assert (await do(store, mine)).revision == 3


async def test_a_base_keeps_what_others_created_from_being_pruned() -> None:
    async with store_of(FLOW) as store:
        await do(store, "{kind: nop, name: theirs}")
        await do(store, FLOW, base=1, prune=True)
        assert await names(store) == ["other", "pong", "start", "theirs"]
        await do(store, FLOW, prune=True)
        assert await names(store) == ["other", "pong", "start"]


async def test_a_base_that_is_not_there_is_said() -> None:
    async with store_of(FLOW) as store:
        with pytest.raises(NotFoundError, match="there is no revision 9"):
            await plan(store, HELLO, base=9)


async def test_a_base_of_a_store_that_keeps_no_revisions_is_said() -> None:
    class Forgetful(MemoryStore):
        history = None  # type: ignore[assignment]

    store = Forgetful()
    await store.open()
    with pytest.raises(StoreError, match="keeps no revisions"):
        await plan(store, HELLO, base=0)


async def test_a_name_that_was_taken_meanwhile_is_a_conflict_of_the_store() -> None:
    async with store_of(FLOW) as store:
        (mine,) = read(f"{{kind: nop, id: {ID}, name: new}}")
        (theirs,) = read("{kind: nop, id: 01890a5d-ac96-774b-bcce-b302099a8058, name: new}")
        planned = await plan(store, f"{{kind: nop, id: {mine.id}, name: new}}")
        await store.apply([Put(resource=theirs)])
        with pytest.raises(ConflictError, match='the name "new" is taken'):
            await apply_plan(store, planned)


async def test_matching_goes_by_id_and_then_by_name() -> None:
    stored, wanted = read(FLOW), read(FLOW.replace("code: pong", "code: x"))
    steps = match(stored, wanted)
    assert [(old is not None, new is not None) for old, new in steps] == [(True, True)] * 3
