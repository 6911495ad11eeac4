"""heddle merge and heddle git: what two people made of one flow comes together, with a real git."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heddle.cli.commands.git import ATTRIBUTES
from tests.cli.support import PING, heddle, ran, ran_json

LINK = "      - {name: pong, port: in}\n"


def changed(*pairs: tuple[str, str]) -> str:
    text = PING
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def three(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return base, ours and theirs: two add a link to one port, and change one field."""
    texts = {
        "base": PING,
        "ours": changed((LINK, f"{LINK}      - {{name: a, port: in}}  # ours\n")),
        "theirs": changed(
            (LINK, f"{LINK}      - {{name: b, port: in}}\n"), ("code: pong", "code: hi")
        ),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path / "base.yaml", tmp_path / "ours.yaml", tmp_path / "theirs.yaml"


BOTH = changed(
    (LINK, f"{LINK}      - {{name: a, port: in}}  # ours\n      - {{name: b, port: in}}\n"),
    ("code: pong", "code: hi"),
)


def test_three_files_become_one(three: tuple[Path, Path, Path], tmp_path: Path) -> None:
    assert ran("merge", *three) == BOTH
    ran("merge", *three, "-o", three[1])
    assert three[1].read_text() == BOTH
    assert ran("merge", os.devnull, os.devnull, three[0]) == PING


def test_a_conflict_is_told_and_stands_in_the_file(three: tuple[Path, Path, Path]) -> None:
    three[1].write_text(changed(("code: pong", "code: hello")))
    result = heddle("merge", *three, "-o", three[1], "--ours-label", "mine", "--path", "flow.yaml")
    assert result.exit_code == 1
    assert (
        'conflict: flow.yaml:19:3 pong.code: both change it (base: "pong"; ours: "hello"; theirs: "hi")'
        in (result.stderr)
    )
    text = three[1].read_text()
    assert (
        "<<<<<<< mine\n  code: hello\n||||||| base\n  code: pong\n=======\n  code: hi\n>>>>>>> theirs\n"
        in text
    )
    assert "name: b, port: in" in text
    assert heddle("check", three[1]).exit_code == 1


def test_programs_get_json(three: tuple[Path, Path, Path]) -> None:
    assert ran_json("merge", *three) == {"ok": True, "conflicts": [], "text": BOTH}
    three[1].write_text(changed(("code: pong", "code: hello")))
    said = ran_json("merge", *three)
    assert said["ok"] is False
    (one,) = said["conflicts"]
    assert (one["at"], one["base"], one["ours"], one["theirs"]) == (
        "pong.code",
        "pong",
        "hello",
        "hi",
    )
    assert one["line"] == 19


def test_a_secret_in_dispute_is_not_told(three: tuple[Path, Path, Path]) -> None:
    for path, secret in zip(three, ("hunter1", "hunter2", "hunter3"), strict=True):
        path.write_text(f"- {{name: db, secret: true, data: {secret}}}\n")
    said = heddle("merge", *three, "-o", three[1], "--json")
    assert said.exit_code == 1
    assert "hunter" not in said.stdout + said.stderr
    three[1].write_text("- {name: db, secret: true, data: hunter2}\n")
    assert "hunter" not in heddle("merge", *three, "-o", three[1]).stderr


def test_a_file_that_is_not_there_is_told(three: tuple[Path, Path, Path]) -> None:
    result = heddle("merge", three[0], three[1], "nowhere.yaml")
    assert result.exit_code == 1
    assert "nowhere.yaml: no such file or directory" in result.stderr


def test_two_files_are_compared_node_by_node(three: tuple[Path, Path, Path]) -> None:
    nameless = "- kind: nop\n"
    three[0].write_text(nameless + PING)
    three[2].write_text("- kind: nop\n  x: 1\n" + nameless + changed(("code: pong", "code: hi")))
    said = ran_json("diff", three[0], three[2])
    assert [(each["action"], each.get("name")) for each in said["changes"]] == [
        ("updated", "pong"),
        ("created", None),
    ]


# --- git ----------------------------------------------------------------------------------------


class Repository:
    """A real repository, with Heddle on the path of git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        tools = folder.parent / "bin"
        tools.mkdir()
        script = tools / "heddle"
        start = "from heddle.cli.main import main; main()"
        script.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{start}' \"$@\"\n")
        script.chmod(0o755)
        kept = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("GIT_", "HEDDLE_"))
        }
        self.environment = {
            **kept,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "NO_COLOR": "1",
        }
        self.git("init", "--quiet", "--initial-branch=main")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def heddle(self, *arguments: str) -> None:
        done = subprocess.run(
            ["heddle", *arguments],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr

    def save(self, text: str, message: str, name: str = "flow.yaml") -> None:
        (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    @property
    def flow(self) -> str:
        return (self.folder / "flow.yaml").read_text()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "repository")
    found.heddle("git", "install")
    found.save(PING, "begin")
    return found


def test_branches_that_both_edit_are_merged_by_git(
    repository: Repository, three: tuple[Path, Path, Path]
) -> None:
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.save(three[2].read_text(), "theirs")
    repository.git("checkout", "--quiet", "main")
    repository.save(three[1].read_text(), "ours")
    repository.git("merge", "--quiet", "feature")
    assert repository.flow == BOTH
    assert repository.git("status", "--porcelain") == ""
    # The same by rebasing.
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    repository.git("checkout", "--quiet", "feature")
    repository.git("rebase", "--quiet", "main")
    assert repository.flow == BOTH


def test_a_conflict_is_left_to_the_person(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.save(changed(("code: pong", "code: hi")), "theirs")
    repository.git("checkout", "--quiet", "main")
    repository.save(changed(("code: pong", "code: hello")), "ours")
    done = repository.run("merge", "feature")
    assert done.returncode == 1
    assert "CONFLICT" in done.stdout
    assert "flow.yaml:19:3 pong.code: both change it" in done.stdout + done.stderr
    assert repository.flow == changed(
        (
            "  code: pong\n",
            (
                "<<<<<<< ours\n  code: hello\n||||||| base\n  code: pong\n=======\n"
                "  code: hi\n>>>>>>> theirs\n"
            ),
        )
    )
    assert repository.git("status", "--porcelain") == "UU flow.yaml\n"
    repository.save(changed(("code: pong", "code: hello, hi")), "settled")
    assert repository.git("status", "--porcelain") == ""


def test_files_that_are_no_specs_are_merged_line_by_line(repository: Repository) -> None:
    text = "services:\n" + "".join(f"  s{number}: 1\n" for number in range(9))
    repository.save(text, "other", "compose.yaml")
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.save(text.replace("s0: 1", "s0: 2"), "theirs", "compose.yaml")
    repository.git("checkout", "--quiet", "main")
    repository.save(text.replace("s8: 1", "s8: 3"), "ours", "compose.yaml")
    repository.git("merge", "--quiet", "feature")
    found = (repository.folder / "compose.yaml").read_text()
    assert found == text.replace("s0: 1", "s0: 2").replace("s8: 1", "s8: 3")


def test_git_shows_what_tells_two_versions_apart(repository: Repository) -> None:
    (repository.folder / "flow.yaml").write_text(
        changed(("code: pong", "code: hi"), ("name: listener", "name: door"))
    )
    said = repository.git("diff")
    assert said.startswith("heddle diff flow.yaml\n")
    assert "pong" in said
    assert "code" in said
    assert "1 to create, 1 to update, 1 to delete" in said
    assert "@@" not in said
    (repository.folder / "flow.yaml").write_text(f"# a comment\n{PING}")
    assert "it says the same" in repository.git("diff")
    (repository.folder / "flow.yaml").write_text("[broken\n")
    assert "+[broken" in repository.git("diff")
    (repository.folder / "flow.yaml").unlink()
    assert "3 to delete" in repository.git("diff")


def test_installing_leaves_what_is_there(tmp_path: Path) -> None:
    found = Repository(tmp_path / "repository")
    (found.folder / "flows").mkdir()
    attributes = found.folder / "flows" / ".gitattributes"
    attributes.write_text("*.png binary")
    found.heddle("git", "install", "flows", "--dry-run")
    assert attributes.read_text() == "*.png binary"
    assert found.run("config", "merge.heddle.driver").returncode == 1
    for _ in range(2):
        found.heddle("git", "install", "flows")
    assert attributes.read_text().splitlines() == ["*.png binary", *ATTRIBUTES]
    assert found.git("config", "--get-all", "merge.heddle.driver").count("\n") == 1


def test_installing_outside_of_a_repository_is_told(tmp_path: Path) -> None:
    result = heddle(
        "git", "install", tmp_path, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    )
    assert result.exit_code == 1
    assert "git config" in result.stderr
    assert not (tmp_path / ".gitattributes").exists()
    assert heddle("git", "install", tmp_path / "no").exit_code == 1
    said = json.loads(heddle("git", "install", tmp_path, "--dry-run", "--json").stdout)
    assert said["lines"] == list(ATTRIBUTES)
