"""The address of a store: what it says to libpq, what to us, and what people get to see of it."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from heddle.schemas.errors import StoreError
from heddle.specs.stores.opener import Stores
from heddle.specs.stores.postgres.address import StoreOptions, read_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db/flows", "postgresql://db/flows"),
        ("postgres://ada@db:5433/flows", "postgresql://ada@db:5433/flows"),
        ("postgresql://ada:s3cret@db/flows", "postgresql://ada:***@db/flows"),
        ("postgresql://ada@db/flows?password=s3cret", "postgresql://ada:***@db/flows"),
        ("postgresql:///flows?host=/run/pg&user=ada", "postgresql://ada@/run/pg/flows"),
        ("postgresql://[::1]:5432/flows", "postgresql://[::1]:5432/flows"),
        ("postgresql://a,b/flows", "postgresql://a,b/flows"),
        ("postgresql://db/flows?schema=team_a", "postgresql://db/flows?schema=team_a"),
        ("postgresql://db/flows?schema=heddle&pool_max=9", "postgresql://db/flows"),
        ("postgresql://ada@", "postgresql://ada@localhost/ada"),
    ],
)
def test_an_address_is_shown_without_its_secret(url: str, shown: str) -> None:
    assert read_address(url).shown == shown
    assert Stores().make(url).url == shown


def test_our_options_are_taken_out_and_the_others_are_for_libpq() -> None:
    read = read_address(
        "postgresql://ada:p%40ss@db/flows?schema=s&pool_min=0&pool_max=9&wait=0.5"
        "&statement_timeout=60&migrate=off&sslmode=require&connect_timeout=2"
    )
    assert read.options == StoreOptions(
        schema="s", pool_min=0, pool_max=9, wait=0.5, statement_timeout=60, migrate=False
    )
    said = conninfo_to_dict(read.conninfo)
    assert (said["host"], said["user"], said["password"]) == ("db", "ada", "p@ss")
    assert (said["sslmode"], said["connect_timeout"]) == ("require", "2")
    assert said["application_name"] == "heddle"
    assert "schema" not in said


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://db/flows?shema=x", 'unknown option "shema".*Did you mean "schema"'),
        ("postgresql://db/flows?schema=Flows", '"Flows" cannot be the schema'),
        ("postgresql://db/flows?schema=pg_x", "cannot be the schema"),
        ("postgresql://db/flows?schema=a%22b", "cannot be the schema"),
        ("postgresql://db/flows?pool_max=0", "pool_max=0"),
        ("postgresql://db/flows?pool_min=5", "pool_min=5, pool_max=4"),
        ("postgresql://db/flows?pool_max=many", '"pool_max" .* is "many" .expected: a number'),
        ("postgresql://db/flows?wait=0", "wait=0"),
        ("postgresql://db/flows?wait=nan", "wait"),
        ("postgresql://db/flows?migrate=maybe", '"migrate" .* is "maybe" .expected: on or off'),
        ("postgresql://ada:s3cret@db/flows?x=s3cret", 'unknown option "x"'),
        ("postgresql://ada:s3cret@[db/flows", "cannot be read"),
        ("postgresql://ada:secret@s3cret@db/flows", "cannot be read.*%40"),
        ("postgresql://ada:secret/s3cret@db/flows", "cannot be read.*%2F"),
        ("postgresql://ada:secret?s3cret@db/flows", "cannot be read.*%3F"),
    ],
)
def test_a_wrong_address_is_explained_and_no_secret_told(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        Stores().make(url)
    assert "s3c" not in str(caught.value)
