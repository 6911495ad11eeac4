"""heddle token: made, shown once, listed, revoked; the store keeps a hash alone."""

from pathlib import Path

import pytest

from tests.cli.support import heddle, ran, ran_json


@pytest.fixture(autouse=True)
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of specs, which is where the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "heddle.toml").write_text('store = "flows"\nauthor = "ada"\n')
    return tmp_path / "flows"


def test_a_token_is_shown_once_and_only_its_hash_is_kept(flows: Path) -> None:
    token = ran("token", "new", "ci", "--role", "edit", "-n", "shop", "--expires", "30d").strip()
    assert token.startswith("heddle_")
    kept = (flows / "system.yaml").read_text()
    assert token not in kept
    assert "sha256:" in kept
    assert token not in ran("token", "list")
    assert "token.ci" in ran("get", "values", "-n", "system")


def test_they_are_listed_with_what_they_are_good_for() -> None:
    ran("token", "new", "ci", "--role", "edit", "--role", "operate", "-n", "shop", "-n", "web")
    ran("token", "new", "ada", "--role", "admin", "--expires", "2999-01-31")
    [ada, ci] = ran_json("token", "list")
    assert (ada["name"], ada["roles"], ada["namespaces"]) == ("ada", ["admin"], ["*"])
    assert (ada["expires"], ada["expired"]) == ("2999-01-31T00:00:00Z", False)
    assert (ci["roles"], ci["namespaces"], ci["expires"]) == (
        ["edit", "operate"],
        ["shop", "web"],
        None,
    )
    assert "edit, operate" in ran("token", "list")


def test_json_has_the_token_too() -> None:
    made = ran_json("token", "new", "ci", "--role", "read")
    assert made["token"].startswith("heddle_")
    assert made["roles"] == ["read"]


def test_a_revoked_one_is_gone() -> None:
    ran("token", "new", "ci", "--role", "read")
    assert "revoked  ci" in ran("token", "revoke", "ci")
    assert ran_json("token", "list") == []
    result = heddle("token", "list")
    assert "there is no token: the API lets nobody in, for there were tokens" in result.stderr
    assert "tokens.needed" in ran("get", "values", "-n", "system")


def test_without_any_token_ever_the_list_says_who_gets_in() -> None:
    assert "in whoever is on the same machine" in heddle("token", "list").stderr


def test_revoking_one_of_two_leaves_no_mark(flows: Path) -> None:
    ran("token", "new", "ci", "--role", "read")
    ran("token", "new", "ada", "--role", "read")
    ran("token", "revoke", "ci")
    assert "tokens.needed" not in (flows / "system.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "ci"), "say what it is good for: --role read|edit|operate|admin"),
        (("new",), "takes a NAME"),
        (("revoke",), "takes a NAME"),
        (("list", "ci"), "takes no NAME"),
        (("new", "a/b", "--role", "read"), "cannot be the name of a token"),
        (("new", "ci", "--role", "read", "--expires", "soon"), "is no time (expected: 12h, 30d"),
        (("new", "ci", "--role", "read", "--expires", "30"), "is no time (expected: 12h, 30d"),
        (("new", "ci", "--role", "read", "--expires", "2001-01-01"), "has passed already"),
        (("new", "ci", "--role", "read", "-n", "a b"), "is not a namespace"),
        (("new", "ci", "--role", "reed"), "is not one of"),
    ],
)
def test_what_makes_no_sense_is_rejected(words: tuple[str, ...], said: str) -> None:
    result = heddle("token", *words)
    assert result.exit_code != 0
    assert said in result.output


def test_a_name_is_taken_once_and_the_nearest_is_told() -> None:
    ran("token", "new", "deploy", "--role", "read")
    again = heddle("token", "new", "deploy", "--role", "admin")
    assert 'there is a token "deploy" already' in again.output
    wrong = heddle("token", "revoke", "deplyo")
    assert 'Did you mean "deploy"?' in wrong.output
