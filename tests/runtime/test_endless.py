"""A cycle that never ends is ended with an Error, and checked; long flows that end are left alone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.extension import Extension, node
from heddle.runtime.flow import machine, process
from heddle.runtime.flow.errors import NOTHING, Error
from tests.cli.support import heddle, ran_json
from tests.support import running

pytestmark = pytest.mark.anyio


def snippet(name: str, *targets: str, code: str = "self", language: str = "cel") -> str:
    links = ", ".join(f"{{name: {target}, port: in}}" for target in targets)
    return (
        f"- {{kind: snippet, name: {name}, language: {language}, code: '{code}', "
        f"ports: {{out: [{links}]}}}}\n"
    )


def choice(name: str, *targets: str, when: str = "true") -> str:
    links = ", ".join(
        f"'out[{index}]': [{{name: {target}, port: in}}]" for index, target in enumerate(targets)
    )
    return f"- {{kind: if, name: {name}, when: '{when}', ports: {{{links}}}}}\n"


RINGS = {
    "itself": snippet("a", "a"),
    "two": snippet("a", "b") + snippet("b", "a"),
    "python": snippet("a", "b", code="payload", language="python") + snippet("b", "a"),
    "hundred": "".join(snippet(f"n{i}", f"n{(i + 1) % 100}") for i in range(100))
    + snippet("a", "n0"),
    "choices": choice("a", "b") + choice("b", "a"),
    "mixed": snippet("a", "b") + choice("b", "c") + snippet("c", "a"),
    "behind a try": "- {kind: try, name: a, ports: {out: [{name: b, port: in}]}}\n"
    + snippet("b", "c")
    + snippet("c", "b"),
    "error port": snippet("a", "b") + "- {kind: snippet, name: b, language: cel, code: '1 / 0', "
    "ports: {error: [{name: a, port: in}]}}\n",
    "log": snippet("a", "b")
    + "- {kind: log, name: b, event: x, level: debug, ports: {out: [{name: a}]}}\n",
}


@pytest.mark.parametrize("name", [name for name in RINGS if name != "error port"])
async def test_a_ring_without_an_end_is_answered_with_an_error(name: str) -> None:
    async with running(RINGS[name]) as rt:
        answer = await rt.send("a", 1)
        assert isinstance(answer, Error)
        assert answer.code == "endless"
        assert "without an end" in answer.message
        assert not rt.processes


async def test_a_ring_of_failures_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ROUNDS", 20_000)  # each failure takes a while
    async with running(RINGS["error port"]) as rt:
        answer = await rt.send("a", 1)
        assert isinstance(answer, Error)
        assert answer.code == "endless"


@pytest.mark.parametrize("targets", [("b", "c"), ("c", "b")])
async def test_a_ring_that_forks_ends_too(targets: tuple[str, str]) -> None:
    ring = snippet("a", *targets) + snippet("b", "a") + snippet("c")
    async with running(ring) as rt:
        answer = await rt.send("a", 1)
        assert isinstance(answer, Error)
        assert answer.code in ("endless", "depth")


@node("at-once", summary="Is async, and waits for nothing.")
async def at_once(payload: Any) -> Any:
    return payload


class Waiting:
    """An extension."""

    def register(self, extension: Extension) -> None:
        extension.kind(at_once)


async def test_a_ring_of_async_nodes_that_never_wait_ends_too() -> None:
    ring = "- {kind: at-once, name: a, ports: {out: [{name: b, port: in}]}}\n" + snippet("b", "a")
    async with running(ring, extensions=[Waiting().register]) as rt:
        answer = await rt.send("a", 1)
        assert isinstance(answer, Error)
        assert answer.code == "endless"


@pytest.mark.parametrize("make", [snippet, choice])
async def test_ten_thousand_nodes_in_a_row_are_no_ring(make: Any) -> None:
    size = 10_000
    text = "".join(make(f"n{i}", f"n{i + 1}") for i in range(size))
    async with running(text + snippet(f"n{size}", code="self + 1")) as rt:
        assert await rt.send("n0", 1) == 2


async def test_ring_that_ends_itself_goes_round_as_often_as_it_has_to() -> None:
    text = choice("a", "b", "c", when="self < 200000") + snippet("b", "a", code="self + 1")
    async with running(text + snippet("c", code="self + 1")) as rt:
        assert await rt.send("a", 0) == 200_001


async def test_a_loop_of_many_items_is_no_ring() -> None:
    text = (
        "- {kind: for, name: a, ports: {out: [{name: b, port: in}]}}\n"
        + choice("b", "c", "d", when="self < 5")
        + snippet("c", "b", code="self + 1")
        + snippet("d")
    )
    async with running(text) as rt:
        answer = await rt.send("a", [0] * 400_000)
        assert not isinstance(answer, Error)


async def test_a_ring_that_forks_processes_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DEPTH", 500)
    ring = "- {kind: fork, name: a, ports: {out: [{name: b}]}}\n" + snippet("b", "a")
    async with running(ring) as rt:
        failed = asyncio.ensure_future(rt.events.wait("fork failed"))
        await asyncio.sleep(0)
        assert await rt.send("a", 1) is NOTHING
        assert (await failed).data["code"] == "depth"


# --- heddle check -----------------------------------------------------------------------------


ENDLESS = ["itself", "two", "hundred", "log"]


@pytest.mark.parametrize("name", ENDLESS)
def test_check_names_a_cycle_that_cannot_end(tmp_path: Path, name: str) -> None:
    file = tmp_path / "ring.yaml"
    file.write_text(RINGS[name])
    result = heddle("check", file)
    assert result.exit_code == 1
    assert "endless-cycle" in result.output
    assert "goes round for ever" in result.output
    (problem,) = ran_json("check", file)["problems"]
    assert problem["line"]
    assert problem["hint"]


def test_check_names_a_cycle_through_a_block(tmp_path: Path) -> None:
    file = tmp_path / "ring.yaml"
    file.write_text(
        snippet("a", "b")
        + "- kind: block\n  name: b\n  specs: [{kind: snippet, name: x, language: cel, code: self}]\n"
        "  inbounds: {in: [{name: x}]}\n  outbounds: {out: [{name: x}]}\n"
        "  ports: {out: [{name: a}]}\n"
    )
    (problem,) = ran_json("check", file)["problems"]
    assert problem["code"] == "endless-cycle"
    assert "a → b → b/x → a" in problem["found"]


ENDING = {
    "if": choice("a", "b") + snippet("b", "a"),
    "raise": snippet("a", "b") + "- kind: snippet\n  name: b\n  language: python\n"
    "  code: |\n    def main(payload):\n        raise ValueError\n"
    "  ports: {out: {name: a}}\n",
    "throw": "- {kind: throw, name: a}\n" + snippet("b", "a"),
    "retry": "- {kind: retry, name: a, attempts: 3, ports: {out: [{name: b}]}}\n" + snippet("b"),
    "chain": snippet("a", "b") + snippet("b", "c") + snippet("c"),
    "diamond": snippet("a", "b", "c") + snippet("b", "d") + snippet("c", "d") + snippet("d"),
    "error port": RINGS["error port"],
}


@pytest.mark.parametrize("name", ENDING)
def test_check_leaves_a_cycle_that_may_end_alone(tmp_path: Path, name: str) -> None:
    file = tmp_path / "ring.yaml"
    file.write_text(ENDING[name])
    result = heddle("check", file)
    assert "endless-cycle" not in result.output
    assert result.exit_code == 0, result.output
