"""What is built from the repository is the whole package, and runs if nothing else of it stands."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from heddle.cli.project import TEMPLATES, project_files

ROOT = Path(__file__).parent.parent
RUN = "import heddle.cli.main as it; print(it.__file__); it.main()"
ROOMS = ("specs", "schemas", "runtime", "extensions", "cli")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built by the project's own build backend from a copy of what git would clone."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        origin, target = ROOT / name, source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_symlink():
            target.symlink_to(origin.readlink())
        elif origin.is_file():
            target.write_bytes(origin.read_bytes())
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."],
        cwd=source,
        check=True,
        capture_output=True,
    )
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"heddle/__init__.py", "heddle/py.typed"}
    for room in ROOMS:
        for file in (ROOT / room).rglob("*"):
            if file.suffix in (".py", ".yaml", ".yml", ".json", ".js", ".sql", ".txt"):
                wanted.add(f"heddle/{file.relative_to(ROOT).as_posix()}")
    for name in TEMPLATES:
        files = [path for path in (ROOT / "cli" / "templates" / name).iterdir() if path.is_file()]
        wanted |= {f"heddle/cli/templates/{name}/{path.name}" for path in files}
    assert wanted - held == set()


def test_the_wheel_makes_every_project_that_the_repository_makes(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from heddle.cli.project import *; import json; "
        "print(ROOT); print(json.dumps({name: project_files(name, 'shop') for name in TEMPLATES}))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    place, _, files = output.partition("\n")
    assert place.startswith(str(tmp_path))
    assert json.loads(files) == {name: project_files(name, "shop") for name in TEMPLATES}


def test_the_wheel_runs_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    told = subprocess.run(
        [sys.executable, "-c", RUN, "kinds", "listener"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(str(tmp_path))
    assert "listener" in told.stdout


def test_the_demo_runs_a_copy_that_may_be_edited(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    for name in ("Makefile", "pyproject.toml", "examples/ping.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    copy = tmp_path / "demo" / "ping.yaml"

    def make(*args: str) -> str:
        return subprocess.run(
            ["make", *args], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    make("demo/ping.yaml")
    example = (ROOT / "examples" / "ping.yaml").read_text().rstrip("\n")
    # The same, but its answer ends the line of a terminal.
    assert copy.read_text() == f'{example.removesuffix("pong")}"pong\\n"\n'
    copy.write_text("changed")
    make("demo/ping.yaml")
    assert copy.read_text() == "changed"
    assert "start demo/ping.yaml" in make("-n", "demo")
    assert "/demo/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_readme_edits_nothing_that_git_tracks() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Change the last line of `demo/ping.yaml`" in text
    assert text.index(".venv/bin/heddle") < text.index("heddle check")
