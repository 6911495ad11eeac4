"""Every row runs, and looks at every answer; how fast it is, is no matter here."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.measure import Measure, at_least, at_most, measured
from benchmarks.paths import HERE
from benchmarks.report import table
from benchmarks.row import Row
from benchmarks.rows import NAMES, row
from benchmarks.scale import TINY, Scale


@pytest.mark.parametrize("name", NAMES)
def test_a_row_measures_what_answers_rightly(name: str) -> None:
    told: list[str] = []
    measures = row(name).run(TINY, told.append)
    assert measures
    assert told, "nobody was told what is being measured"
    for measure in measures:
        assert measure.value >= 0
    assert any(measure.reach is not None for measure in measures)


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
        raise ValueError("found 4, wanted 5")

    monkeypatch.setattr(program, "RESULTS", tmp_path)
    monkeypatch.setattr(program, "row", lambda name: Row(title="t", floor="f", run=wrong))
    assert program.main(["nodes", "--quick"]) == 1
    assert "nodes is broken: ValueError: found 4, wanted 5" in capsys.readouterr().err


def test_a_row_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
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
