"""A workflow in a module is found by its name, and a mistake names what there is."""

from pathlib import Path

import pytest

from heddle import Workflow, load_workflow
from heddle.extensions.tasks.authoring.loader import NoWorkflowError

MODULE = """
from heddle import Workflow, task, workflow

@task
def load(day: str) -> str:
    return day

@workflow
def report(day: str):
    return load(day)

prices = Workflow("all_prices")
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "loaded_two.py").write_text(MODULE)
    (tmp_path / "loaded_one.py").write_text(MODULE.partition("prices")[0] + "same = report\n")
    (tmp_path / "loaded_none.py").write_text("x = 1\n")
    (tmp_path / "loaded_broken.py").write_text("import no_such_thing\n")
    return tmp_path


def test_a_workflow_is_found_by_its_variable_or_its_name(modules: Path) -> None:
    report = load_workflow("loaded_two:report")
    assert isinstance(report, Workflow)
    assert report.call(day="x") == "x"
    assert load_workflow("loaded_two:prices") is load_workflow("loaded_two:all_prices")
    assert load_workflow("loaded_one").name == "report"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "loaded_two:reprt",
            r'no workflow "reprt" \(it has: report, prices\)\. Did you mean "report"',
        ),
        ("loaded_two", "several workflows: loaded_two:report, loaded_two:prices"),
        ("loaded_none", "has no workflow: a function becomes one by @workflow"),
        ("loaded_none:x", r"it has: none"),
        ("loaded_gone:x", 'there is no module "loaded_gone"'),
        ("loaded_broken:x", 'there is no module "no_such_thing" at .*loaded_broken.py:1'),
        ("a b:x", "write module:workflow"),
        (":x", "write module:workflow"),
    ],
)
def test_a_workflow_that_is_not_there_is_explained(modules: Path, target: str, words: str) -> None:
    with pytest.raises(NoWorkflowError, match=words):
        load_workflow(target)
