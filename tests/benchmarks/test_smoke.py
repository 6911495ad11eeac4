"""Every row runs, and looks at every answer; how fast it is, is no matter here."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.measure import Measure, at_least, at_most, measured
from benchmarks.packets.case import case
from benchmarks.paths import HERE
from benchmarks.report import reasons, table
from benchmarks.row import AnswerMismatchError, Row
from benchmarks.rows import NAMES, row
from benchmarks.rows.kinds import CASES, LEFT_OUT
from benchmarks.scale import TINY, Scale
from heddle.runtime.runtime import Runtime


def far(measure: Measure) -> bool:
    """Return whether a ratio may be more than ten times its floor."""
    reach = measure.reach
    return measure.unit == "×" and reach is not None and reach.side == "≤" and reach.bound > 10


@pytest.mark.parametrize("name", NAMES)
def test_a_row_measures_what_answers_rightly(name: str) -> None:
    told: list[str] = []
    measures = row(name).run(TINY, told.append)
    assert measures
    assert told, "nobody was told what is being measured"
    for measure in measures:
        assert measure.value >= 0
        assert bool(measure.reason) == far(measure), f"{measure.name}: why is it so far away?"
    assert any(measure.reach is not None for measure in measures)


@pytest.mark.anyio
async def test_every_kind_is_measured_or_says_where_it_is() -> None:
    async with Runtime() as rt:
        known = rt.registry.scheme.names
    measured_here = {one.kind for one in CASES}
    assert measured_here | LEFT_OUT.keys() == known
    assert not measured_here & LEFT_OUT.keys()
    rows = {word for why in LEFT_OUT.values() for word in re.findall(r"`(\w+)`", why)}
    assert rows <= {*NAMES}


@pytest.mark.anyio
async def test_kind_that_does_not_do_what_its_floor_does_has_no_figure() -> None:
    wrong = case("nop", "wrong", "- {kind: nop, name: it}\n", 1, lambda packet: packet)
    with pytest.raises(AnswerMismatchError, match=r"nop \(wrong\) answered None, plain Python 1"):
        await wrong.measure(TINY)


def test_the_readme_tells_of_every_row() -> None:
    readme = (HERE / "README.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in readme] == []


def test_the_figures_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(program, "QUICK", TINY)
    file = tmp_path / "out.json"
    assert program.main(["nodes", "--quick", "--json", str(file)]) == 0
    told = json.loads(file.read_text())
    [kept] = (tmp_path / "results").iterdir()
    assert json.loads(kept.read_text()) == told
    assert [one["row"] for one in told["rows"]] == ["nodes"]
    assert told["rows"][0]["measures"][0]["reach"] == "≤ 2"
    assert told["machine"]["python"]
    assert capsys.readouterr().out.startswith("| row ")


def test_what_answers_wrongly_has_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(scale: Scale, say: object) -> list[Measure]:
        raise ValueError("found 4, expected 5")

    monkeypatch.setattr(program, "RESULTS", tmp_path)
    monkeypatch.setattr(program, "row", lambda name: Row(title="t", floor="f", run=wrong))
    assert program.main(["nodes", "--quick"]) == 1
    assert "nodes is broken: ValueError: found 4, expected 5" in capsys.readouterr().err


def test_a_row_that_does_not_exist_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["pong"])
    assert 'there is no row "pong"' in capsys.readouterr().err


def test_the_table_says_what_is_in_reach() -> None:
    shown = Row(title="t", floor="f", run=lambda scale, say: [])
    measures = [
        measured("calls", [1.0, 3.0, 2.0], reach=at_most(2.0)),
        Measure(name="requests", value=1.25, reach=at_least(1.5), disturbed=True),
        Measure(name="why", value=12.0, unit="ms"),
    ]
    lines = table({"one": (shown, measures)}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2:] == [
        ["one", "calls", "≤ 2.00 ×", "2.00 ×", "1.00 … 3.00", "ok"],
        ["", "requests", "≥ 1.50 ×", "1.25 ×", "", "short, disturbed"],
        ["", "why", "", "12 ms", "", ""],
    ]
    assert len({len(line) for line in lines}) == 1


def test_a_reason_is_told_once_with_all_that_it_is_for() -> None:
    shown = Row(title="t", floor="f", run=lambda scale, say: [])
    measures = [
        measured("a", [12.0], reach=at_most(20.0), reason="It may wait."),
        measured("b", [13.0], reach=at_most(20.0), reason="It may wait."),
        measured("c", [1.0], reach=at_most(10.0)),
    ]
    assert reasons({"one": (shown, measures)}) == "* one (a), one (b): It may wait."
