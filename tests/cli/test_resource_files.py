"""What files of a command say, and planning what they would change as often as it takes."""

from pathlib import Path

import pytest

from heddle.cli.resource_files import Planner, ResourceFiles
from heddle.cli.settings import Settings
from heddle.runtime.changes.plan import apply_plan
from tests.runtime.changing import FLOW, do, everything, store_of

pytestmark = pytest.mark.anyio

THEIRS = FLOW.replace("name: pong, language", "name: pong, annotations: {by: them}, language")


def given(folder: Path, text: str) -> ResourceFiles:
    """Return the files of a command: one, that says this."""
    file = folder / "mine.yaml"
    file.write_text(text)
    return ResourceFiles([str(file)], "all", Settings())


@pytest.mark.parametrize("merge", [False, True])
async def test_who_was_faster_is_merged_with_where_that_is_wanted(
    tmp_path: Path, merge: bool
) -> None:
    async with store_of(FLOW) as store:
        mine = given(tmp_path, FLOW.replace("code: pong", "code: mine"))
        planner = Planner(mine, merge=merge)
        planned = await planner.plan(store, everything())
        await do(store, THEIRS)
        applied = await apply_plan(store, planned)
        assert applied.clashes
        assert planner.again(planned, applied) is merge
        if merge:
            planned = await planner.plan(store, everything())
            assert not planner.again(planned, await apply_plan(store, planned))
            (pong,) = (each for each in await store.specs() if each.name == "pong")
            assert (pong.fields["code"], pong.annotations) == ("mine", {"by": "them"})


async def test_what_contradicts_is_not_tried_again(tmp_path: Path) -> None:
    async with store_of(FLOW) as store:
        planner = Planner(given(tmp_path, FLOW.replace("code: pong", "code: mine")), merge=True)
        planned = await planner.plan(store, everything())
        await do(store, FLOW.replace("code: pong", "code: theirs"))
        assert planner.again(planned, await apply_plan(store, planned))
        planned = await planner.plan(store, everything())
        assert planned.clashes
        assert not planner.again(planned, await apply_plan(store, planned))


def test_ids_that_nobody_wrote_are_known(tmp_path: Path) -> None:
    found = given(tmp_path, "- {kind: nop}\n- {kind: nop, name: a}\n")
    nameless = {each.id for each in found.resources if each.name is None}
    assert found.anonymous == nameless
    assert found.problems(everything()) == ()
