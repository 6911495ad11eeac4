"""Each answer of the cookbook is short, and what it says comes out comes out."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec
import pytest

from heddle.extensions.response import HttpResponse
from heddle.runtime.events.events import Event
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text
from tests.docs.fences import ROOT, fences

PAGE = ROOT / "docs" / "cookbook.md"
LONGEST = 20
FEWEST = 25

_EXCHANGE = re.compile(r"^(?:In|Together): (.+)\n(Out|Log): `(.+)`$", re.MULTILINE)


class Recipe(NamedTuple):
    """A question, the flow that answers it, and what is sent to it and comes back."""

    question: str
    flow: str
    exchanges: list[tuple[list[Any], str, Any]]

    def __str__(self) -> str:
        return self.question


def recipes(page: Path) -> list[Recipe]:
    """Return every answer of the page."""
    parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [_recipe(part) for part in parts]


def _recipe(part: str) -> Recipe:
    question, _, rest = part.partition("\n")
    [flow] = re.findall(r"^```yaml\n(.+?)^```$", rest, re.MULTILINE | re.DOTALL)
    exchanges = [
        ([json.loads(text) for text in re.findall(r"`([^`]+)`", sent)], place, json.loads(out))
        for sent, place, out in _EXCHANGE.findall(rest)
    ]
    return Recipe(question, flow, exchanges)


RECIPES = recipes(PAGE)


def shown(answer: Any) -> Any:
    """Return an answer as the page shows it."""
    if isinstance(answer, HttpResponse):
        return {key: value for key, value in dict(answer).items() if value not in (None, {})}
    return msgspec.json.decode(msgspec.json.encode(answer))


def test_there_are_enough_questions_and_each_is_one() -> None:
    assert len(RECIPES) >= FEWEST
    assert len({recipe.question for recipe in RECIPES}) == len(RECIPES)
    assert [one for one in RECIPES if not re.fullmatch(r"How do I .+\?", one.question)] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_an_answer_is_short_and_shows_what_comes_out(recipe: Recipe) -> None:
    assert recipe.flow.count("\n") <= LONGEST
    assert recipe.exchanges


@pytest.mark.anyio
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
async def test_what_an_answer_says_comes_out(recipe: Recipe) -> None:
    reading = read_text(recipe.flow, file="flow.yaml")
    assert not reading.problems
    first = reading.specs[0].name
    assert first
    async with Runtime(store=MemoryStore(reading.specs)) as rt:
        assert not [str(problem) for problem in rt.status().problems]
        events: list[Event] = []
        rt.events.listen(events.append)
        for packets, place, expected in recipe.exchanges:
            answers: list[Any] = []

            async def send(packet: Any, answers: list[Any] = answers) -> None:
                answers.append(await rt.send(first, packet))

            async with anyio.create_task_group() as group:
                for packet in packets:
                    group.start_soon(send, packet)
            assert not [str(answer) for answer in answers if isinstance(answer, Error)]
            if place == "Log":
                assert [shown(data) for data in await logged(rt, events)] == [expected]
            else:
                assert [shown(answer) for answer in answers] == [expected] * len(packets)


async def logged(rt: Runtime, events: list[Event]) -> list[dict[str, Any]]:
    """Wait until a flow has logged something; return the data of all that it has."""
    names = {spec.name for spec in await rt.store.specs() if spec.kind == "log"}
    with anyio.fail_after(60):
        while not any(event.symbol in names for event in events):
            await rt.events.wait()
    return [dict(event.data) for event in events if event.symbol in names]


def test_every_page_says_how_to_run_heddle() -> None:
    home = ROOT / "docs" / "run.md"
    silent = [
        str(page.relative_to(ROOT))
        for page in (ROOT / "docs").rglob("*.md")
        if page != home
        and "changes" not in page.relative_to(ROOT).parts
        and f"({'../' * (len(page.relative_to(ROOT).parts) - 2)}run.md)" not in page.read_text()
    ]
    assert silent == []
    commands = [line for fence in fences(home) for line in fence.code.splitlines()]
    for command in ("pip install", "heddle check", "heddle start", "heddle test", "heddle init"):
        assert any(line.startswith(command) for line in commands), command


def test_which_kind_leads_to_every_kind_that_there_is() -> None:
    page = (ROOT / "docs" / "which-kind.md").read_text()
    linked = set(re.findall(r"\(kinds/([a-z-]+)\.md\)", page)) - {"index", "common"}
    known = {path.stem for path in (ROOT / "docs" / "kinds").glob("*.md")} - {"index", "common"}
    assert linked - known == set()
    assert sorted(known - linked) == LEFT_OUT


LEFT_OUT = ["access", "follow", "manage", "nop"]
"""Kinds of the API itself, and what answers no need of its own."""
