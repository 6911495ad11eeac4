"""heddle init: a folder that checks, tests and starts as it stands, and never overwrites."""

import json
import signal
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from heddle import __version__
from heddle.cli.project import ROOT, TEMPLATES, project_files
from tests.cli.support import get, heddle, ran, started


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with the state of commands in there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_folder_checks_tests_and_starts_at_once(
    template: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{template}: " in ran("init", template)
    monkeypatch.chdir(here / template)
    assert ran("check", ".").startswith("no problems: ")
    tests = (here / template / "tests.yaml").read_text().count("kind: test")
    assert ran("test").splitlines()[-1].startswith(f"{tests} passed in ")
    port = {"PORT": "0"} if TEMPLATES[template].environment else {}
    variables = {f"HEDDLE_ENVIRONMENT_{name}": value for name, value in port.items()}
    with started(cwd=here / template, env=variables) as service:
        event = service.until("runtime started")
        assert event["data"]["active"] > 0
        assert not event["data"].get("rejected")
        assert service.stop(signal.SIGTERM) == 0


def test_a_new_api_answers_and_shows_its_document(here: Path) -> None:
    ran("init", "api", "shop")
    with started(cwd=here / "shop", env={"HEDDLE_ENVIRONMENT_PORT": "0"}) as service:
        port = service.port()
        assert json.loads(get(port, "/books")) == []
        assert json.loads(get(port, "/openapi.json"))["info"]["title"] == "Books"


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_schema_of_the_editor_accepts_every_spec(template: str, here: Path) -> None:
    ran("init", template)
    folder = here / template
    settings = json.loads((folder / ".vscode" / "settings.json").read_text())
    [(schema, patterns)] = settings["yaml.schemas"].items()
    judge = jsonschema.Draft7Validator(json.loads((folder / schema).read_text()))
    specs = sorted(folder.glob("*.yaml"))
    assert (patterns, len(specs) > 1) == (["*.yaml"], True)
    for path in specs:
        first = path.read_text().partition("\n")[0]
        assert first == f"# yaml-language-server: $schema={schema.removeprefix('./')}"
        assert not list(judge.iter_errors(YAML(typ="safe", pure=True).load(path)))


def test_nothing_is_overwritten_and_nothing_half_written(here: Path) -> None:
    (here / "shop").mkdir()
    (here / "shop" / "README.md").write_text("mine")
    result = heddle("init", "api", "shop")
    assert result.exit_code == 1
    assert "shop holds README.md already, and nothing was written" in result.stderr
    assert [path.name for path in (here / "shop").iterdir()] == ["README.md"]
    assert (here / "shop" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("taken", [".vscode", "heddle.toml"])
def test_what_stands_in_the_way_is_named_before_anything_is_written(taken: str, here: Path) -> None:
    (here / "shop").mkdir()
    if taken == ".vscode":
        (here / "shop" / taken).write_text("mine")
    else:
        (here / "shop" / taken).symlink_to(here / "elsewhere")
    result = heddle("init", "api", "shop")
    assert result.exit_code == 1
    assert f"shop holds {taken} already, and nothing was written" in result.stderr
    assert [path.name for path in (here / "shop").iterdir()] == [taken]
    assert not (here / "elsewhere").exists()


@pytest.mark.parametrize(
    ("folder", "word"),
    [
        ("my shop", "'my shop'"),
        ("back\\quoted\\1", "'back\\quoted\\1'"),
        ("-x", "-x"),
        ("latin\udce4", "'latin\ufffd'"),
    ],
)
def test_a_folder_with_any_name_is_written_and_shown(folder: str, word: str, here: Path) -> None:
    output = ran("init", "--", "webhook", folder)
    assert f"  cd {word}\n" in output
    assert f"cd {word}\n" in (here / folder / "README.md").read_text()


def test_a_file_in_the_place_of_the_folder_is_an_error(here: Path) -> None:
    (here / "api").write_text("mine")
    result = heddle("init", "api")
    assert (result.exit_code, (here / "api").read_text()) == (1, "mine")
    assert "api is a file (expected: a folder" in result.stderr


def test_the_working_directory_may_be_the_folder(here: Path) -> None:
    (here / "notes.txt").write_text("mine")
    assert "cd " not in ran("init", "webhook", ".")
    assert (here / "heddle.toml").is_file()
    assert f"cd {here.name}" in (here / "README.md").read_text()


def test_without_a_template_all_of_them_are_listed() -> None:
    lines = ran("init").splitlines()
    assert [line.split()[0] for line in lines[: len(TEMPLATES)]] == list(TEMPLATES)


def test_an_unknown_template_names_the_nearest() -> None:
    result = heddle("init", "webhok")
    assert result.exit_code == 1
    assert 'there is no template "webhok"' in result.stderr
    assert 'Did you mean "webhook"?' in result.stderr


def test_the_help_has_an_example_and_every_template() -> None:
    text = ran("init", "--help")
    assert "heddle init api shop" in text
    assert all(f"{name} " in text for name in TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_line_of_a_project_leads_into_the_repository(template: str) -> None:
    files = project_files(template, "shop")
    assert f"=={__version__}'" in files["Dockerfile"]
    leading = [path for path, text in files.items() if "examples/" in text or "](.." in text]
    assert leading == []


def test_the_templates_are_the_examples() -> None:
    examples = ROOT.parent.resolve().parent / "examples"
    assert {name: (ROOT / name).resolve() for name in TEMPLATES} == {
        name: examples / template.example for name, template in TEMPLATES.items()
    }


def test_tests_fill_blanks_from_their_own_table(here: Path) -> None:
    (here / "flow.yaml").write_text(
        "- {kind: snippet, name: word, language: text, code: '{{ .WORD }} {{ .MORE }}', "
        "env: {WORD: {data: '{{ .WORD }}'}, MORE: {data: '{{ .MORE }}'}}}\n"
        "- {kind: test, name: t, ports: {'out[0]': word, 'out[1]': said}}\n"
        "- {kind: assert, name: said, expect: self == 'test base'}\n"
    )
    (here / "heddle.toml").write_text(
        '[environment]\nWORD = "base"\nMORE = "base"\n[test.environment]\nWORD = "test"\n'
    )
    assert ran("test").splitlines()[-1].startswith("1 passed")
    result = heddle("test", "-e", "WORD=flag")
    assert (result.exit_code, "flag base" in result.stdout) == (1, True)
