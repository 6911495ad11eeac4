"""Schemas of their own for stores in the tests' PostgreSQL, and roles to open them with."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from heddle.specs.postgres.store import PostgresStore
from tests.postgres import server


def in_schema(url: str, schema: str, **options: object) -> str:
    """The address of a store in this schema."""
    said = "&".join(f"{name}={value}" for name, value in {"schema": schema, **options}.items())
    return f"{url}{'&' if '?' in url else '?'}{said}"


def url_in(folder: Path, **options: object) -> tuple[str, str]:
    """The address of a store that belongs to this folder, and its schema."""
    whose = f"{os.getpid()}{folder}"
    schema = f"t{hashlib.sha1(whose.encode(), usedforsecurity=False).hexdigest()[:30]}"
    return in_schema(server(), schema, **options), schema


def dropped(schema: str) -> None:
    """Drop a schema and what is in it."""
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@asynccontextmanager
async def fresh(**options: object) -> AsyncIterator[str]:
    """The address of a store in a schema that is not there yet; it is gone when the block ends."""
    schema = f"t{uuid4().hex[:30]}"
    try:
        yield in_schema(server(), schema, **options)
    finally:
        dropped(schema)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    """A store at this address, open until the block ends."""
    store = PostgresStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
