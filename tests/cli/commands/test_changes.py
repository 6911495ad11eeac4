"""heddle plan, apply, history, show, diff, rollback: what changes in a store, told and kept."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heddle.cli.exit_codes import DIFFERENT
from tests.cli.support import PATIENCE, PING, heddle, ran, ran_json
from tests.specs.stores.postgres.databases import dropped, url_in

NO_VALUES = "- {kind: nop, name: extra}\n"


@pytest.fixture(params=["folder", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a store that keeps its past; empty."""
    if request.param == "folder":
        folder = tmp_path / "store"
        folder.mkdir()
        yield str(folder)
        return
    found, schema = url_in(tmp_path)
    try:
        yield found
    finally:
        dropped(schema)


@pytest.fixture
def args(url: str) -> tuple[str, ...]:
    """Return what each command is told of the store."""
    ran("apply", "-f", "-", "--store", url, "-m", "begin", stdin=PING)
    return ("--store", url)


def hello(text: str = "hello") -> str:
    return PING.replace("code: pong", f"code: {text}")


def apply(args: tuple[str, ...], text: str, *more: str) -> None:
    ran("apply", "-f", "-", *args, *more, stdin=text)


def rev(args: tuple[str, ...], number: int) -> str:
    """Return the revision that came as the first, the second, …: those of a folder are times."""
    return str(ran_json("history", "-A", *args)[-number]["revision"])


# --- plan -----------------------------------------------------------------------------------------


def test_a_plan_lists_fields_and_ports_and_exits_by_what_would_change(
    args: tuple[str, ...],
) -> None:
    changed = hello().replace("port: 'out[0]'", "port: 'out[1]'").replace("out[0]:", "out[1]:")
    result = heddle("plan", "-f", "-", *args, stdin=changed)
    assert result.exit_code == DIFFERENT == 3
    assert result.stdout.splitlines() == [
        "~ spec router (router)",
        '    ~ routes[0].port: "out[0]" → "out[1]"',
        "    - ports.out[0]: pong.in",
        "    + ports.out[1]: pong.in",
        "~ spec pong (snippet)",
        '    ~ code: "pong" → "hello"',
        "2 to update",
    ]
    same = heddle("plan", "-f", "-", *args, stdin=PING)
    assert (same.exit_code, same.stdout) == (0, "nothing to change\n")
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "pong"


def test_a_plan_tells_links_that_come_and_go_and_lines_of_text(args: tuple[str, ...]) -> None:
    apply(args, '{kind: snippet, name: long, language: text, code: "a\\nb\\nc\\n"}')
    text = (
        '- {kind: snippet, name: long, language: text, code: "a\\nB\\nc\\n"}\n'
        "- {kind: nop, name: sink}\n"
        "- kind: listener\n  name: listener\n  protocol: http\n  port: '{{ .PORT }}'\n"
        "  env: {PORT: {data: '{{ .PORT }}'}}\n"
        "  ports: {out: [{name: sink, port: in}, {name: router, port: in}]}\n"
    )
    told = heddle("plan", "-f", "-", *args, stdin=text).stdout
    assert "    + ports.out → sink.in" in told
    assert "        -b\n        +B\n" in told
    assert "+ spec sink (nop)" in told


def test_a_plan_with_problems_fails_and_shows_what_it_would_change_beside(
    args: tuple[str, ...],
) -> None:
    result = heddle("plan", "-f", "-", *args, stdin="{kind: nop, name: x, colour: red}")
    assert result.exit_code == 1
    assert "error[unknown-field]" in result.stderr
    said = ran_json("plan", "-f", "-", *args, stdin=hello())
    assert (said["ok"], said["problems"]) == (True, [])
    (changed,) = (each for each in said["changes"] if each["action"] == "updated")
    assert changed["fields"] == [{"path": "code", "before": "pong", "after": "hello"}]


def test_a_plan_shows_no_secret(args: tuple[str, ...]) -> None:
    apply(args, "{name: word, data: hunter22, secret: true}")
    for flags in ((), ("--json",)):
        new = "{name: word, data: other333, secret: true}"
        result = heddle("plan", "-f", "-", *args, *flags, stdin=new)
        assert result.exit_code == DIFFERENT
        assert "hunter22" not in result.output
        assert "other333" not in result.output


# --- apply ----------------------------------------------------------------------------------------


def test_an_apply_says_who_and_why_in_the_history(
    args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heddle.toml").write_text('author = "ada"\n')
    monkeypatch.chdir(tmp_path)
    ran("apply", "-f", "-", *args, "-m", "politer\n\nasked for", stdin=hello())
    ran("apply", "-f", "-", *args, stdin=hello("hi"), env={"HEDDLE_AUTHOR": "bob"})
    (last, more, begin) = ran_json("history", *args)
    assert (last["author"], last["message"]) == ("bob", "")
    assert (more["author"], more["message"]) == ("ada", "politer\n\nasked for")
    assert re.fullmatch(r"\S+@\S+", begin["author"])
    assert begin["message"] == "begin"
    assert [each["name"] for each in more["changes"]] == ["pong"]


def test_prune_deletes_and_says_so_and_never_in_another_namespace(args: tuple[str, ...]) -> None:
    apply(args, NO_VALUES + "- {kind: nop, name: kept, namespace: shop}\n- {name: v, data: 1}\n")
    said = ran_json("apply", "-f", "-", "--prune", *args, stdin=PING)
    assert [each["name"] for each in said["changes"] if each["action"] == "deleted"] == ["extra"]
    assert str(said["revision"]) == rev(args, 3)
    left = ran_json("get", "specs", "-A", *args)
    assert {each["name"] for each in left} == {"listener", "router", "pong", "kept"}
    assert [each["name"] for each in ran_json("get", "values", *args)] == ["v"]


def test_a_prune_that_leaves_somebody_behind_writes_nothing(args: tuple[str, ...]) -> None:
    router = PING[PING.index("- kind: router") : PING.index("- kind: snippet")]
    result = heddle("apply", "-f", "-", "--prune", *args, stdin=router)
    assert result.exit_code == 1
    assert "error[left-behind]" in result.stderr
    assert len(ran_json("get", "specs", *args)) == 3


def test_two_operators_at_one_node_get_a_conflict_and_both_changes(args: tuple[str, ...]) -> None:
    apply(args, hello("theirs"))
    result = heddle("apply", "-f", "-", "--base", rev(args, 1), *args, stdin=hello("mine"))
    assert result.exit_code == 1
    told = result.stderr
    assert "conflict: spec pong was changed by somebody else in the meantime" in told
    assert told.index('~ code: "pong" → "theirs"') < told.index('~ code: "pong" → "mine"')
    assert "they contradict each other:\n    pong.code: both change it" in told
    assert "nothing was written" in told
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "theirs"
    said = ran_json("apply", "-f", "-", "--base", rev(args, 1), *args, stdin=hello("mine"))
    (conflict,) = said["conflicts"]
    assert conflict["contradictions"] == [
        {
            "path": "pong.code",
            "reason": "both change it",
            "base": "pong",
            "yours": "mine",
            "theirs": "theirs",
        }
    ]


def test_changes_of_one_node_that_fit_are_put_together_by_merge(args: tuple[str, ...]) -> None:
    theirs = PING.replace("name: pong\n  lang", "name: pong\n  annotations: {by: them}\n  lang")
    assert theirs != PING
    apply(args, theirs)
    mine = hello("mine")
    result = heddle("apply", "-f", "-", "--base", rev(args, 1), *args, stdin=mine)
    assert result.exit_code == 1
    assert 'both fit together:\n    ~ spec pong (snippet)\n        ~ code: "pong" → "mine"' in (
        result.stderr
    )
    assert "with --merge" in result.stderr
    ran("apply", "-f", "-", "--base", rev(args, 1), "--merge", *args, stdin=mine)
    (pong,) = ran_json("get", "specs", "pong", *args)
    assert (pong["code"], pong["annotations"]) == ("mine", {"by": "them"})


def test_what_get_prints_says_which_revision_it_is_the_base_of(args: tuple[str, ...]) -> None:
    mine = ran("get", "specs", "--yaml", *args)
    assert mine.startswith(f"# revision {rev(args, 1)}\n- id: ")
    apply(args, hello("theirs"))
    ran("apply", "-f", "-", "--base", rev(args, 1), *args, stdin=mine)
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "theirs"


def test_what_only_others_changed_stays_with_a_base(args: tuple[str, ...]) -> None:
    apply(args, hello("theirs"))
    apply(args, PING + NO_VALUES, "--base", rev(args, 1))
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "theirs"


def test_a_dry_run_of_an_apply_writes_nothing(args: tuple[str, ...]) -> None:
    told = ran("apply", "-f", "-", "--dry-run", *args, stdin=hello())
    assert "would be updated    spec pong" in told
    assert len(ran_json("history", *args)) == 1


# --- history, show, diff --------------------------------------------------------------------------


def test_a_history_is_newest_first_and_of_name_where_one_is_given(
    args: tuple[str, ...],
) -> None:
    apply(args, hello(), "-m", "politer")
    apply(args, NO_VALUES)
    head, *rows = ran("history", *args).splitlines()
    assert head.split() == ["REVISION", "WHEN", "AUTHOR", "CHANGED", "WHY"]
    assert [row.split()[0] for row in rows] == [rev(args, n) for n in (3, 2, 1)]
    assert "+extra" in rows[0]
    assert rows[1].endswith("politer")
    found = [str(each["revision"]) for each in ran_json("history", "pong", *args)]
    assert found == [rev(args, 2), rev(args, 1)]
    (newest,) = ran_json("history", "--limit", "1", *args)
    assert str(newest["revision"]) == rev(args, 3)
    result = heddle("history", "nobody", *args)
    assert result.exit_code == 1
    assert 'changed "nobody"' in result.stderr


def test_show_tells_a_revision_whole(args: tuple[str, ...]) -> None:
    apply(args, hello(), "-m", "politer")
    told = ran("show", rev(args, 2), *args)
    assert told.startswith(f"revision {rev(args, 2)}\n")
    assert "  why     politer\n" in told
    assert '~ spec pong (snippet)\n    ~ code: "pong" → "hello"\n' in told
    assert ran("show", "now", *args) == told
    assert str(ran_json("show", "now~1", *args)["revision"]) == rev(args, 1)
    result = heddle("show", "77", *args)
    assert result.exit_code == 1
    assert "no revision 77" in result.stderr


def test_show_tells_a_name_with_its_past(args: tuple[str, ...]) -> None:
    apply(args, hello(), "-m", "politer")
    told = ran("show", "pong", *args)
    second = rev(args, 2)
    assert told.startswith(f"# spec pong, revision {second}\n# revision {second}, ")
    assert "politer" in told
    assert "code: hello" in told
    assert ran_json("plan", "-f", "-", *args, stdin=told)["changes"][0]["action"] == "unchanged"
    (said,) = ran_json("show", "pong", *args)
    assert (said["type"], str(said["revision"]), len(said["history"])) == ("spec", second, 2)
    assert heddle("show", "nobody", *args).exit_code == 1


def test_diff_of_two_revisions_goes_by_number_and_by_now(args: tuple[str, ...]) -> None:
    apply(args, hello())
    apply(args, NO_VALUES)
    result = heddle("diff", rev(args, 1), *args)
    assert result.exit_code == DIFFERENT
    assert result.stdout.splitlines() == [
        "~ spec pong (snippet)",
        '    ~ code: "pong" → "hello"',
        "+ spec extra (nop)",
        "1 to create, 1 to update",
    ]
    assert ran_json("diff", "now~2", "now~1", *args) == ran_json(
        "diff", rev(args, 1), rev(args, 2), *args
    )
    assert heddle("diff", rev(args, 3), *args).exit_code == 0
    result = heddle("diff", "now~9", *args)
    assert result.exit_code == 1
    assert "has only 3 revisions" in result.stderr


def test_diff_of_files_goes_by_what_they_say(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(PING)
    other.write_text(NO_VALUES + "# the same, elsewhere\n" + hello().replace("kind:", "kind: "))
    result = heddle("diff", one, other)
    assert result.exit_code == DIFFERENT
    assert result.stdout.splitlines()[-1] == "1 to create, 1 to update"
    assert heddle("diff", one, one).exit_code == 0
    said = ran_json("diff", other, one)
    assert sorted((each["action"], each["name"]) for each in said["changes"]) == [
        ("deleted", "extra"),
        ("updated", "pong"),
    ]
    result = heddle("diff", one, tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "neither a revision nor a file" in result.stderr


# --- rollback -------------------------------------------------------------------------------------


def test_a_rollback_is_revision_of_its_own_and_can_be_rolled_back(args: tuple[str, ...]) -> None:
    apply(args, hello())
    apply(args, NO_VALUES)
    dry = ran("rollback", rev(args, 1), "--dry-run", *args)
    assert dry.splitlines()[-1] == "1 to update, 1 to delete"
    assert len(ran_json("history", *args)) == 3
    said = ran_json("rollback", rev(args, 1), "-m", "too polite", *args)
    assert (said["ok"], str(said["revision"])) == (True, rev(args, 4))
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "pong"
    assert heddle("diff", rev(args, 1), "now", *args).exit_code == 0
    ran("rollback", "now~1", *args)
    assert ran_json("get", "specs", "pong", *args)[0]["code"] == "hello"
    assert [each["message"] for each in ran_json("history", "--limit", "2", *args)] == [
        f"roll back to revision {rev(args, 3)}",
        "too polite",
    ]
    result = heddle("rollback", "now", *args)
    assert result.exit_code == 0
    assert "nothing to roll back" in result.stderr


def test_a_rollback_stays_in_its_namespace(args: tuple[str, ...]) -> None:
    apply(args, hello() + "- {kind: nop, name: till, namespace: shop}\n")
    ran("rollback", rev(args, 1), *args)
    assert len(ran_json("get", "specs", "-n", "shop", *args)) == 1
    ran("rollback", rev(args, 1), "-A", *args)
    assert ran_json("get", "specs", "-n", "shop", *args) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("rollback", "now~x"), "is not a revision (expected: the number of a revision"),
        (("rollback", "99"), "no revision 99"),
        (("diff", "99"), "no revision 99"),
        (("apply", "-f", "-", "--base", "99"), "no revision 99"),
    ],
)
def test_a_revision_that_is_none_is_one_line(
    args: tuple[str, ...], command: tuple[str, ...], told: str
) -> None:
    result = heddle(*command, *args, stdin=hello())
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


# --- delete ---------------------------------------------------------------------------------------


def test_a_deletion_that_would_stop_what_is_active_is_rejected(args: tuple[str, ...]) -> None:
    for more in ((), ("--dry-run",)):
        result = heddle("delete", "specs", "pong", *more, *args)
        assert result.exit_code == 1
        assert '"pong" goes with this change, and router needs it' in result.stderr
        assert "router.ports.out[0]" in result.stderr
    said = ran_json("delete", "specs", "pong", *args)
    assert (said["ok"], said["changes"]) == (False, [])
    assert [problem["code"] for problem in said["problems"]] == ["left-behind"]
    assert len(ran_json("history", *args)) == 1
    # Together with whoever leads to it, it goes.
    result = heddle("delete", "specs", "pong", "router", "listener", "-m", "gone", *args)
    assert result.exit_code == 0
    (newest, _) = ran_json("history", *args)
    assert (newest["message"], newest["changes"][0]["action"]) == ("gone", "deleted")


def test_a_whole_namespace_is_deleted_as_one_change_and_no_other(args: tuple[str, ...]) -> None:
    apply(args, "- {kind: nop, name: kept, namespace: shop}\n- {name: v, data: 1}\n")
    dry = ran("delete", "all", "--all", "--dry-run", *args)
    assert dry.count("would be deleted") == 4
    said = ran_json("delete", "all", "--all", *args)
    assert [each["action"] for each in said["changes"]] == ["deleted"] * 4
    assert "left_behind" not in said
    left = ran_json("get", "specs", "-A", *args)
    assert [each["name"] for each in left] == ["kept"]
    assert len(ran_json("history", "-A", *args)) == 3
    assert ran_json("delete", "all", "--all", *args)["changes"] == []
    assert heddle("delete", "all", "--all", "pong", *args).exit_code == 2


# --- what is completed ----------------------------------------------------------------------------


def test_names_of_a_folder_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flow.yaml").write_text(PING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    for line, found in (
        ("heddle show po", ["pong"]),
        ("heddle history ", ["listener", "pong", "router"]),
    ):
        result = heddle(
            env={
                "_HEDDLE_COMPLETE": "bash_complete",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(line.split(" ")) - 1),
            }
        )
        assert [each.partition(",")[2] for each in result.stdout.split()] == found


# --- on a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "flags", "left"), [("n\n", (), True), ("y\n", (), False), ("", ("--yes",), False)]
)
def test_a_prune_at_a_terminal_shows_what_would_go_and_asks(
    args: tuple[str, ...], tmp_path: Path, said: str, flags: tuple[str, ...], left: bool
) -> None:
    apply(args, NO_VALUES)
    (tmp_path / "flow.yaml").write_text(PING)
    ours, theirs = pty.openpty()
    os.write(ours, said.encode())
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from heddle.cli.main import main; main()"),
            *("apply", "-f", "flow.yaml", "--prune", *args, *flags),
        ],
        cwd=tmp_path,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert ("- spec extra (nop)" in done.stdout) is not bool(flags)
    assert ("Delete it?" in done.stderr) is not bool(flags)
    assert done.returncode == (1 if left else 0)
    assert bool(ran_json("get", "specs", "-n", "default", *args)[0]["name"] == "extra") is left
