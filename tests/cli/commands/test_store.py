"""heddle store: how a store stands, its tables, and who may do what in them."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.cli.support import heddle, ran, ran_json
from tests.postgres import server
from tests.specs.stores.postgres.databases import dropped, in_schema


@pytest.fixture
def schema() -> Iterator[str]:
    name = f"t{uuid4().hex[:20]}"
    yield name
    dropped(name)


def test_a_store_is_made_filled_and_shown(schema: str, tmp_path: Path) -> None:
    url = in_schema(server(), schema)
    before = ran_json("store", "show", "--store", url)
    assert (before["tables"]["version"], before["revision"]) == (0, 0)
    made = ran_json("store", "migrate", "--store", url)
    assert (made["before"], made["version"]) == (0, before["tables"]["known"])
    assert "already" in ran("store", "migrate", "--store", url)
    file = tmp_path / "flow.yaml"
    file.write_text("- {kind: nop, name: one}\n- {name: V, data: 1}\n")
    ran("apply", "all", "-f", file, "--store", url)
    shown = ran_json("store", "show", "--store", url)
    assert (shown["revision"], shown["specs"], shown["values"], shown["runtimes"]) == (1, 1, 1, 0)
    assert shown["tables"]["schema"] == schema
    told = ran("store", "show", "--store", url)
    assert f"version {before['tables']['known']} in schema {schema}" in told
    assert ran_json("get", "specs", "--store", url)[0]["name"] == "one"


def test_the_sql_it_prints_makes_the_same_tables(schema: str) -> None:
    url = in_schema(server(), schema)
    asked = ran("store", "migrate", "--sql", "--store", url)
    assert ran("store", "migrate", "--sql", "--since", "0", "--store", url) == asked
    assert ran_json("store", "show", "--store", url)["tables"]["version"] == 0
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(asked.encode())
    shown = ran_json("store", "show", "--store", f"{url}&migrate=off")
    assert shown["tables"]["version"] == shown["tables"]["known"]
    assert ran("store", "migrate", "--sql", "--store", url) == "-- there is nothing to migrate\n"


def test_with_migrate_off_only_the_command_makes_tables(schema: str) -> None:
    url = in_schema(server(), schema, migrate="off")
    rejected = heddle("get", "specs", "--store", url)
    assert rejected.exit_code == 1
    assert "are not there" in rejected.stderr
    assert "heddle store migrate" in rejected.stderr
    assert "CREATE TABLE specs" in rejected.stderr
    ran("store", "migrate", "--store", url)
    assert ran_json("get", "specs", "--store", url) == []


def test_the_rights_it_prints_name_the_role_and_nothing_else(schema: str) -> None:
    url = in_schema(server(), schema)
    said = ran("store", "grant", 'so"so', "--sql", "--store", url)
    assert said.splitlines() == [
        f'GRANT USAGE ON SCHEMA "{schema}" TO "so""so";',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO "so""so";',
        f'GRANT INSERT, UPDATE, DELETE ON "{schema}".reports, "{schema}".accepted, "{schema}".leases TO "so""so";',
    ]


def test_a_folder_is_shown_too_and_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("- {kind: nop, name: one}\n")
    shown = ran_json("store", "show", "--store", tmp_path)
    assert (shown["specs"], "tables" in shown) == (1, False)
    rejected = heddle("store", "migrate", "--store", tmp_path)
    assert rejected.exit_code == 1
    assert "expected: the address of a store in PostgreSQL" in rejected.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["grant"], "give a ROLE with grant"),
        (["show", "me"], "give a ROLE with grant"),
        (["show", "--sql"], "--sql goes with"),
        (["migrate", "--since", "1"], "--since goes with"),
    ],
)
def test_what_does_not_go_together_is_rejected(args: list[str], told: str) -> None:
    rejected = heddle("store", *args)
    assert rejected.exit_code == 2
    assert told in rejected.stderr


def test_no_password_is_told(schema: str) -> None:
    rejected = heddle("get", "specs", "--store", "postgresql://ada:s3cret@127.0.0.1:1/flows")
    assert rejected.exit_code == 1
    assert "postgresql://ada:***@127.0.0.1:1/flows cannot be reached" in rejected.stderr
    assert "s3cret" not in rejected.output


@pytest.mark.parametrize(
    "args",
    [
        ("get", "specs"),
        ("get", "specs", "nobody"),
        ("show", "nobody"),
        ("history", "nobody"),
        ("delete", "specs", "nobody"),
    ],
)
def test_what_is_not_there_is_told_without_the_password_of_the_store(
    schema: str, args: tuple[str, ...]
) -> None:
    url = in_schema(server(), schema)
    if "postgres:@" not in url:
        pytest.skip("the server that was given asks for its own password")
    result = heddle(*args, "--store", url.replace("postgres:@", "postgres:s3cret@"))
    assert "postgres:***@" in result.output
    assert "s3cret" not in result.output
