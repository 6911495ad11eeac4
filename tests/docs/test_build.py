"""The generated pages say what the kinds and the commands say now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from heddle.schemas.page import gaps
from tests.docs.fences import ROOT


@pytest.fixture
def build() -> ModuleType:
    """`docs/build.py`, which is not a part of the package."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_up_to_date(build: ModuleType) -> None:
    old = build.stale(build.pages(build.schemas()))
    assert not [str(path.relative_to(ROOT)) for path in old], "try: make docs"


def test_every_kind_says_all_there_is_to_say(build: ModuleType) -> None:
    assert {schema.kind: gaps(schema) for schema in build.schemas() if gaps(schema)} == {}


def test_every_kind_has_an_example_of_its_own_kind(build: ModuleType) -> None:
    for schema in build.schemas():
        assert f"kind: {schema.kind}\n" in f"{schema.example}\n", schema.kind


def test_building_writes_what_is_new_and_removes_what_is_gone(
    build: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = tmp_path / "commands.md"
    commands.write_text(build.COMMANDS.read_text())
    api = tmp_path / "api.md"
    api.write_text(build.API.read_text())
    monkeypatch.setattr(build, "DOCS", tmp_path)
    monkeypatch.setattr(build, "KINDS", tmp_path / "kinds")
    monkeypatch.setattr(build, "COMMANDS", commands)
    monkeypatch.setattr(build, "API", api)
    monkeypatch.setattr(build, "PICTURE", tmp_path / "ping.svg")
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "gone.md").write_text("# gone\n")

    assert build.main(["--check"]) == 1
    assert "gone.md" in capsys.readouterr().out
    assert build.main([]) == 0
    assert not (tmp_path / "kinds" / "gone.md").exists()
    assert (tmp_path / "kinds" / "router.md").read_text().startswith("# router\n")
    capsys.readouterr()
    assert build.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
