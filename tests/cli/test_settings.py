"""Settings: heddle.toml, then HEDDLE_* variables, then flags; mistakes are told with their line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import (
    VARIABLES,
    Settings,
    load_settings,
    unknown_variables,
    without_password,
)
from heddle.cli.settings_fields import SettingsFile
from heddle.cli.stores import _stores
from heddle.schemas.shape import fields_of
from heddle.specs.model.limits import ReadLimits


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_given_gives_the_defaults(here: Path) -> None:
    found = load_settings(environ={})
    assert found == Settings()
    assert (found.namespace, found.store, found.given) == ("default", ".", False)


def test_flags_win_over_variables_and_those_over_the_file(here: Path) -> None:
    (here / "heddle.toml").write_text('namespace = "file"\nlanguage = "file"\ndrain = 1\n')
    environ = {"HEDDLE_NAMESPACE": "variable", "HEDDLE_LANGUAGE": "variable"}
    found = load_settings({"namespace": "flag", "store": None}, environ=environ)
    assert (found.namespace, found.language, found.drain) == ("flag", "variable", 1.0)


def test_environment_is_merged_name_by_name(here: Path) -> None:
    (here / "heddle.toml").write_text("[environment]\nPORT = 1\nHOST = 'file'\nUSER = 'file'\n")
    environ = {"HEDDLE_ENVIRONMENT_HOST": "variable", "HEDDLE_ENVIRONMENT_port": "small"}
    found = load_settings({"environment": {"USER": "flag"}}, environ=environ)
    assert found.environment == {"PORT": 1, "HOST": "variable", "USER": "flag", "port": "small"}


def test_nearest_file_upwards_counts_and_its_store_is_seen_from_there(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "heddle.toml").write_text('store = "flows"\n')
    deep = here / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    found = load_settings(environ={})
    assert (found.store, found.given) == (str(here / "flows"), True)
    (here / "a" / "heddle.toml").write_text('store = "memory://"\n')
    assert load_settings(environ={}).store == "memory://"


def test_named_file_counts_instead_of_the_nearest(here: Path) -> None:
    (here / "heddle.toml").write_text('namespace = "near"\n')
    (here / "other.toml").write_text('namespace = "other"\n')
    assert load_settings(config="other.toml", environ={}).namespace == "other"
    assert load_settings(environ={"HEDDLE_CONFIG": "other.toml"}).namespace == "other"


def test_every_unknown_key_is_told_with_its_line_and_the_nearest_name(here: Path) -> None:
    (here / "heddle.toml").write_text('namespce = "x"\n\n[log]\nlevel = "loud"\nfromat = "text"\n')
    with pytest.raises(CommandError) as caught:
        load_settings(environ={})
    first, second, third = str(caught.value).splitlines()
    assert first.startswith('heddle.toml:1 namespce: unknown key "namespce"')
    assert 'Did you mean "namespace"?' in first
    assert second.startswith('heddle.toml:4 log.level: the text "loud" (expected: debug or info')
    assert third.startswith('heddle.toml:5 log.fromat: unknown key "fromat"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("drain = true\n", "heddle.toml:1 drain: True (expected: a number of seconds)"),
        ('extensions = "one"\n', "heddle.toml:1 extensions: the text"),
        (
            "[environment]\nAT = 2025-01-01\n",
            "heddle.toml:1 environment: a table (expected: a table of",
        ),
        ('namespace = "a b"\n', "heddle.toml:1 namespace: the text"),
        ("store = \n", "heddle.toml:1:9: invalid value (expected: TOML 1.0)"),
    ],
)
def test_what_does_not_fit_is_told(here: Path, text: str, told: str) -> None:
    (here / "heddle.toml").write_text(text)
    with pytest.raises(CommandError) as caught:
        load_settings(environ={})
    assert str(caught.value).startswith(told)


def test_a_named_file_that_is_missing_is_told(here: Path) -> None:
    with pytest.raises(
        CommandError, match=r"none\.toml: the settings cannot be read: no such file"
    ):
        load_settings(config="none.toml", environ={})


def test_variables_take_lists_and_numbers(here: Path) -> None:
    environ = {"HEDDLE_EXTENSIONS": "one, two", "HEDDLE_DRAIN": "2.5", "HEDDLE_LOG_FORMAT": ""}
    found = load_settings(environ=environ)
    assert (found.extensions, found.drain, found.log_format) == (("one", "two"), 2.5, "auto")
    with pytest.raises(CommandError, match='HEDDLE_DRAIN: found "soon"'):
        load_settings(environ={"HEDDLE_DRAIN": "soon"})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ada:s3cret@db:5432/flows", "postgresql://ada:***@db:5432/flows"),
        ("postgresql://ada:s3/c@r?et@db/flows", "postgresql://ada:***@db/flows"),
        (
            "postgresql://ada@db/flows?password=s3cret&wait=1",
            "postgresql://ada@db/flows?password=***&wait=1",
        ),
        ("postgresql://ada@db:5432/flows?wait=1", "postgresql://ada@db:5432/flows?wait=1"),
        ("file://flows/a:b@c", "file://flows/a:b@c"),
        ("flows", "flows"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert without_password(address) == shown
    assert Settings(store=address).shown == shown


def test_limits_are_numbers_or_sizes(tmp_path: Path) -> None:
    file = tmp_path / "heddle.toml"
    file.write_text(
        '[limits]\nchange_set = "16MiB"\nfile = 1000000\nnodes = 5000\ndepth = 20\nfiles = 10\n'
        "follow_links = true\n"
    )
    found = load_settings(config=str(file), environ={})
    assert found.limits == ReadLimits(
        change_set=16 << 20, file=1_000_000, nodes=5000, depth=20, files=10, follow_links=True
    )


@pytest.mark.parametrize(
    "line", ['file = "much"', "file = 0", "depth = 1000", "nodes = 1.5", "follow_links = 1"]
)
def test_limits_that_are_none_are_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "heddle.toml"
    file.write_text(f"[limits]\n{line}\n")
    with pytest.raises(CommandError, match="expected"):
        load_settings(config=str(file), environ={})


def test_the_state_folder_is_seen_from_the_file_and_a_variable_wins(here: Path) -> None:
    (here / "heddle.toml").write_text('[state]\nfolder = "state"\n')
    (here / "below").mkdir()
    found = load_settings(config="heddle.toml", environ={})
    assert found.state_folder == "state"
    found = load_settings(environ={"HEDDLE_STATE_FOLDER": "/var/lib/heddle"})
    assert found.state_folder == "/var/lib/heddle"
    assert _stores(found).state_folder == "/var/lib/heddle"


def test_the_run_store_is_seen_from_the_file_and_a_variable_wins(tmp_path: Path) -> None:
    file = tmp_path / "heddle.toml"
    file.write_text('[runs]\nstore = "data/runs.sqlite"\n')
    found = load_settings(config=str(file), environ={})
    assert found.run_store == str(tmp_path / "data" / "runs.sqlite")
    found = load_settings(config=str(file), environ={"HEDDLE_RUNS_STORE": "memory://"})
    assert found.run_store == "memory://"
    assert _stores(found).run_store == "memory://"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HEDDLE_STOER", '"HEDDLE_STORE"'),
        ("HEDDLE_LOG_LEVL", '"HEDDLE_LOG_LEVEL"'),
        ("HEDDLE_ENVIROMENT_PORT", '"HEDDLE_ENVIRONMENT_PORT"'),
        ("HEDDLE_ENV_PORT", '"HEDDLE_ENVIRONMENT_PORT"'),
        ("HEDDLE_COLOUR", "HEDDLE_ENVIRONMENT_COLOUR"),
    ],
)
def test_a_misspelled_variable_is_reported(name: str, hint: str) -> None:
    (warning,) = unknown_variables({name: "x"})
    assert name in warning
    assert hint in warning


def test_known_variables_are_not_reported() -> None:
    services = ["HEDDLE_SERVICE_HOST", "HEDDLE_PORT", "HEDDLE_PORT_8000_TCP_ADDR"]
    others = ["HEDDLE_KEY", "HEDDLE_TOKEN", "HEDDLE_CONFIG", "HEDDLE_DEBUG", "PATH"]
    names = [*VARIABLES, *services, *others, "HEDDLE_ENVIRONMENT_PROT"]
    assert unknown_variables(dict.fromkeys(names, "tcp://10.0.0.1:8000")) == []


def test_a_port_that_no_cluster_sets_is_reported() -> None:
    (warning,) = unknown_variables({"HEDDLE_PORT": "8000"})
    assert "call it HEDDLE_ENVIRONMENT_PORT" in warning


def keys_of(table: type[msgspec.Struct], above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the keys of a table and of those in it, dotted."""
    for field in fields_of(table):
        if field.shape.form == "object":
            yield from keys_of(field.shape.bare, (*above, field.name))
        elif field.name != "namespaces":
            yield ".".join((*above, field.name))


@pytest.mark.parametrize("key", list(keys_of(SettingsFile)))
def test_every_declared_key_is_a_setting_and_says_what_it_expects(here: Path, key: str) -> None:
    (here / "heddle.toml").write_text(f"{key} = [[]]\n")
    with pytest.raises(CommandError, match=rf"heddle\.toml:1 {key}: a list \(expected: \S"):
        load_settings(environ={})
    taken = ['"x"', "true", "1", '["x"]', "{}", '"debug"', '"text"', '"keep"']
    for value in taken:
        (here / "heddle.toml").write_text(f"{key} = {value}\n")
        try:
            assert load_settings(environ={}) != Settings(), key
        except CommandError:
            continue
        return
    pytest.fail(f"no value fits {key}")
