"""A start serves what was accepted last if the newest has Problems, and says so."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.runtime import Runtime, ShiftError
from heddle.schemas.link import Link
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, Put
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import everything
from tests.runtime.worlds import run_state, told
from tests.waiting import until

pytestmark = pytest.mark.anyio

A = "- {kind: snippet, name: a, language: text, code: a}\n"
B = """\
- kind: snippet
  name: b
  language: cel
  code: '"b{{ X }}"'
  env: {X: {name: x}}
"""
X = "- {name: x, data: '!'}\n"
ROUTES = """\
- kind: router
  name: router
  routes:
    - {method: GET, path: /a, port: 'out[0]'}
    - {method: GET, path: /b, port: 'out[1]'}
  ports:
    out[0]: [{name: a, port: in}]
    out[1]: [{name: b, port: in}]
- {kind: listener, name: listener, port: 0, ports: {out: [{name: router, port: in}]}}
"""
FILES = {"a.yaml": A, "b.yaml": B, "x.yaml": X, "routes.yaml": ROUTES}


def runtime(store: Any) -> Runtime:
    return Runtime(store=store, kinds=everything())


def write(folder: Path, **files: str | None) -> None:
    """Write files whole, or remove them; `b` is b.yaml."""
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        if text is None:
            path.unlink()
        else:
            path.with_suffix(".part").write_text(text)
            path.with_suffix(".part").rename(path)


async def accepted(folder: Path) -> None:
    """Have a runtime accept FILES."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    async with runtime(folder) as rt:
        assert await rt.send("b") == "b!"
        assert rt.unready == ""


def degraded(rt: Runtime) -> list[str]:
    """Return the labels of the symbols that are degraded."""
    return sorted(
        one.name or ""
        for one in rt.status().symbols
        if any(each.type == "Degraded" and each.status for each in one.conditions)
    )


MISTAKES: dict[str, tuple[dict[str, str | None], str, str]] = {
    "an unknown field": ({"b": B + "  colour: red\n"}, "b", "b.yaml:6"),
    "an unknown kind": ({"b": B.replace("snippet", "snipet")}, "b", "b.yaml:1"),
    "code that does not compile": ({"b": B.replace('"b{{ X }}"', "1 +")}, "b", "b.yaml:4"),
    "a document that cannot be read": ({"b": B + "  colour: [\n"}, "b", "b.yaml:6"),
    "an empty env": ({"b": B.replace("{name: x}", "[]")}, "b", "b.yaml:5"),
    "a file that is gone": ({"b": None}, "b", "routes.yaml:8"),
    "a spec that is renamed": ({"b": B.replace("name: b", "name: bb")}, "b", "routes.yaml:8"),
    "a link to a missing name": (
        {"routes": ROUTES.replace("name: b,", "name: bb,")},
        "router",
        ":8",
    ),
    "a link to a missing port": (
        {"routes": ROUTES.replace("name: b, port: in", "name: b, port: inn")},
        "router",
        "routes.yaml:8",
    ),
    "an out port that is not there": (
        {"routes": ROUTES.replace("    out[1]:", "    oot:")},
        "router",
        "routes.yaml:8",
    ),
    "a value that is gone": ({"x": None}, "b", "b.yaml:5"),
    "a value in a document that cannot be read": ({"x": X + "- [\n"}, "b", ""),
    "a name that is taken in a file before": ({"a0": B.replace("cel", "text")}, "b", "b.yaml:2"),
    "a name that is taken in a file behind": ({"z": B.replace("cel", "text")}, "b", "z.yaml:2"),
    "an address that cannot be had": ({"routes": "TAKEN"}, "listener", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_start_serves_what_was_accepted_before_a_mistake(
    mistake: str, tmp_path: Path
) -> None:
    await accepted(tmp_path)
    files, label, place = MISTAKES[mistake]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        swapped = ROUTES.replace("port: 0", f"port: {port}")
        write(
            tmp_path, **{name: swapped if text == "TAKEN" else text for name, text in files.items()}
        )
        for _ in range(2):
            # The second start finds what the first left: it must not forget.
            async with runtime(tmp_path) as rt:
                assert await rt.send("b") == "b!"
                assert {
                    one.name: run_state(one) for one in rt.status().symbols if one.name != "bb"
                } == (dict.fromkeys(("a", "b", "listener", "router"), "active"))
                [event] = told(rt, "last accepted revision serves")
                assert (event.level, label in event.data["symbols"]) == ("error", True)
                assert any(place in str(problem) for problem in event.problems)
                assert label in degraded(rt) or "x.yaml" in str(event.problems)
                [whole] = [each for each in rt.status().conditions if each.type == "Degraded"]
                assert (whole.status, whole.reason) == (True, "LastAccepted")
                assert label in whole.message
                assert rt.unready == ""


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_that_is_mended_goes_live_as_ever(mistake: str, tmp_path: Path) -> None:
    await accepted(tmp_path)
    files, _, _ = MISTAKES[mistake]
    if files.get("routes") == "TAKEN":
        return
    write(tmp_path, **files)
    async with runtime(tmp_path) as rt:
        better = {**FILES, "b.yaml": B.replace('"b{', '"better{')}
        write(tmp_path, **{name: None for name in files if f"{name}.yaml" not in FILES})
        for name in files:
            if f"{name}.yaml" in FILES:
                write(tmp_path, **{name: better[f"{name}.yaml"]})
        write(tmp_path, b=better["b.yaml"])
        await until(lambda: not degraded(rt) and not rt.status().problems)
        await until(lambda: rt.table.get("b") is not None)
        assert await rt.send("b") == "better!"
    async with runtime(tmp_path) as rt:
        assert await rt.send("b") == "better!"
        assert not told(rt, "last accepted revision serves")


GREET = """\
- kind: block
  name: greet
  params: {who: {type: string}}
  env: {X: {name: x}}
  specs: [{kind: snippet, name: say, language: text, code: 'hi {{ who }}{{ X }}'}]
  inbounds: {in: [{name: say, port: in}]}
"""
MINE = "- {kind: block, name: mine, uses: greet, with: {who: ada}}\n"
START = "- {kind: pipe, name: start, ports: {'out[0]': [{name: mine, port: in}]}}\n"
BLOCKS = {"greet": GREET, "mine": MINE, "start": START, "x": X}


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        ({"greet": GREET.replace("language: text", "language: tekst")}, ["greet"]),
        ({"greet": None}, ["greet"]),
        ({"greet": GREET.replace("name: greet", "name: gret")}, ["greet"]),
        ({"mine": MINE.replace("who", "whom")}, ["mine"]),
        ({"mine": None, "other": "- {kind: nop, name: other}\n"}, ["mine"]),
        ({"x": None}, ["mine"]),
        (
            {"mine": MINE.replace("who", "whom"), "start": START.replace("mine", "mein")},
            ["mine", "start"],
        ),
        ({"start": START.replace("mine", "mein"), "greet": GREET.replace("hi", "ho")}, ["start"]),
    ],
)
async def test_only_what_is_wrong_falls_back_in_blocks_and_templates_too(
    files: dict[str, str | None], labels: list[str], tmp_path: Path
) -> None:
    write(tmp_path, **BLOCKS)
    async with runtime(tmp_path) as rt:
        assert await rt.send("start") == "hi ada!"
    write(tmp_path, **files)
    async with runtime(tmp_path) as rt:
        greeting = "ho" if "ho {{" in (files.get("greet") or "") else "hi"
        assert await rt.send("start") == f"{greeting} ada!"
        [event] = told(rt, "last accepted revision serves")
        assert event.data["symbols"] == labels
        assert rt.unready == ""


async def test_whoever_is_made_with_template_follows_it_when_everything_is_looked_at(
    tmp_path: Path,
) -> None:
    write(tmp_path, **BLOCKS)
    store = FolderStore(tmp_path)
    async with Runtime(store=store, kinds=everything(), watch=False) as rt:
        write(tmp_path, greet=GREET.replace("hi", "ho"))
        await rt._look_again()
        assert await rt.send("start") == "ho ada!"


async def test_what_is_taken_out_in_order_stays_away(tmp_path: Path) -> None:
    await accepted(tmp_path)
    write(tmp_path, routes=None, b=None)
    for _ in range(2):
        async with runtime(tmp_path) as rt:
            assert [one.name for one in rt.status().symbols] == ["a"]
            assert (rt.unready, told(rt, "last accepted revision serves")) == ("", [])


async def test_a_history_that_cannot_be_read_brings_nothing_back(tmp_path: Path) -> None:
    await accepted(tmp_path)
    (tmp_path / ".heddle/history.jsonl").write_text("{broken\n")
    write(tmp_path, routes=None, b=None)
    store = FolderStore(tmp_path)
    await store.open()
    await store.history()
    assert await store.problems()
    async with runtime(store) as rt:
        assert [one.name for one in rt.status().symbols] == ["a"]


async def test_a_change_elsewhere_does_not_take_away_what_cannot_be_read(tmp_path: Path) -> None:
    await accepted(tmp_path)
    write(tmp_path, b=B + "  colour: [\n", routes=ROUTES + "  oops: [\n")
    async with runtime(tmp_path) as rt:
        write(tmp_path, a=A.replace("code: a", "code: better"))
        await until(lambda: len(told(rt, "generation live")) == 2)
        assert (await rt.send("a"), await rt.send("b")) == ("better", "b!")
        await rt._look_again()
        assert await rt.send("b") == "b!"
        # Once it can be read and does not hold the spec any more, that is gone.
        write(tmp_path, routes="- {kind: nop, name: other}\n")
        await until(lambda: rt.table.get("listener") is None)
        assert rt.table.get("router") is None


async def test_a_clear_secret_is_read_from_its_place_and_not_written(
    tmp_path: Path,
) -> None:
    secret = "- {name: x, data: hunter2-hunter2, secret: true}\n"
    for name, text in {**FILES, "x.yaml": secret}.items():
        (tmp_path / name).write_text(text)
    async with runtime(tmp_path) as rt:
        assert await rt.send("b") == "bhunter2-hunter2"
    for file in (tmp_path / ".heddle").rglob("*"):
        assert file.is_dir() or b"hunter2" not in file.read_bytes()
    write(tmp_path, b=B.replace("cel", "cell"))
    async with runtime(tmp_path) as rt:
        assert await rt.send("b") == "bhunter2-hunter2"
    # Nothing has it any more: then the source waits, and that is said, at every start.
    write(tmp_path, x=None)
    async with runtime(tmp_path) as rt:
        assert rt.unready
        write(tmp_path, a=A.replace("code: a", "code: better"))
        await until(lambda: len(told(rt, "generation live")) == 2)
        assert rt.unready
    async with runtime(tmp_path) as rt:
        assert "listener waits, and was active before" in rt.unready
        assert "b.yaml:" in rt.unready
        [active] = [each for each in rt.status().conditions if each.type == "Active"]
        assert (active.status, active.reason) == (False, "SourceWaiting")
        [event] = told(rt, "source waits")
        assert event.level == "error"
        write(tmp_path, x=secret, b=B)
        await until(lambda: rt.unready == "")


async def test_a_namespace_without_a_past_begins_with_what_is_fit(tmp_path: Path) -> None:
    for name, text in {**FILES, "b.yaml": B.replace("cel", "cell")}.items():
        (tmp_path / name).write_text(text)
    for _ in range(2):
        async with runtime(tmp_path) as rt:
            states = {one.name: one.state for one in rt.status().symbols}
            assert states == {
                "a": "active",
                "b": "rejected",
                "router": "waiting",
                "listener": "waiting",
            }
            assert rt.unready == ""
            assert told(rt, "specs left out")
            assert not told(rt, "last accepted revision serves")


async def test_what_cannot_begin_as_it_was_accepted_ends_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    fixed = ROUTES.replace("port: 0", f"port: {port}")
    for name, text in {**FILES, "routes.yaml": fixed}.items():
        (tmp_path / name).write_text(text)
    async with runtime(tmp_path):
        pass
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ShiftError):
        async with runtime(tmp_path):
            pass


@pytest.mark.parametrize(
    "spoil", ["{broken", '{"heddle":"accepted","version":99}\n', "\0\0\n", "[1]\n{}\n"]
)
async def test_records_that_cannot_be_read_are_told_and_never_fatal(
    spoil: str, tmp_path: Path
) -> None:
    await accepted(tmp_path)
    file = tmp_path / ".heddle/accepted.jsonl"
    whole = file.read_text()
    file.write_text(spoil + (whole if "99" not in spoil else ""))
    async with runtime(tmp_path) as rt:
        assert await rt.send("b") == "b!"
        assert told(rt, "last accepted not read")
    if "99" in spoil:
        assert file.read_text() == spoil


async def test_a_record_costs_what_changed_and_the_file_stays_small(tmp_path: Path) -> None:
    many = "".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(300))
    await accepted(tmp_path)
    write(tmp_path, many=many)
    file = tmp_path / ".heddle/accepted.jsonl"
    async with runtime(tmp_path) as rt:
        await until(lambda: "n299" in file.read_text())
        size = file.stat().st_size
        write(tmp_path, a=A.replace("code: a", "code: better"))
        await until(lambda: "better" in file.read_text())
        assert file.stat().st_size - size < 1000
        assert rt.unready == ""
    again = file.stat().st_size
    async with runtime(tmp_path):
        pass
    assert file.stat().st_size == again


# --- the law --------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
TARGETS = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
KIND = st.sampled_from(("pipe", "pipe", "pipe", "unknown"))
EDIT = st.tuples(st.sampled_from(NAMES), st.one_of(st.none(), st.tuples(KIND, TARGETS)))


def _change(name: str, put: tuple[str, tuple[str, ...]] | None) -> Change:
    id_ = named_id("spec", "default", name)
    if put is None:
        return Delete(type=Spec, id=id_)
    kind, targets = put
    links = {"out[0]": tuple(Link(name=one) for one in targets)} if targets else {}
    return Put(resource=Spec(id=id_, kind=kind, name=name, ports=links))


def _served(rt: Runtime) -> dict[str, Any]:
    """Return what is active: the Spec of each."""
    return {one.label: one.spec for one in rt.table.all() if rt.table.active(one)}


@given(runs=st.lists(st.lists(EDIT, max_size=5), min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
async def test_a_start_serves_what_was_served_before_it(
    runs: list[list[tuple[str, tuple[str, tuple[str, ...]] | None]]],
) -> None:
    store = MemoryStore()
    before: dict[str, Any] = {}
    for edits in [*runs, []]:
        async with Runtime(store=store, kinds=everything(), interval=0.5) as rt:
            assert _served(rt) == before
            for name, put in edits:
                if put is None and not await store.specs(None, [named_id("spec", "default", name)]):
                    continue
                await store.apply([_change(name, put)])
                newest = await store.newest()
                while rt.observed < newest:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0)
            before = _served(rt)
        await store.open()
