"""The last file descriptors are kept back: a client gets an answer, and the shortage is reported once."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from heddle.extensions.net.http import connection, shared
from heddle.extensions.net.http.descriptors import Descriptors
from heddle.extensions.net.http.server import Server
from tests.extensions.net.http.wire import GET, Wire, answering

pytestmark = pytest.mark.anyio


@contextmanager
def free(count: int) -> Iterator[None]:
    """So many file descriptors are free, and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    try:
        # Lower numbers may be free, too: what is opened now fills them up.
        while len(held) < 20 or held[-1] != held[-2] + 1:
            held.append(os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1 + count, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in held:
            os.close(each)


@pytest.mark.parametrize("is_shared", [False, True], ids=["own socket", "shared socket"])
async def test_the_last_descriptors_are_kept_back_and_the_shortage_is_reported_once(
    is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Descriptors()
    monkeypatch.setattr(connection, "DESCRIPTORS", fresh)
    monkeypatch.setattr(shared, "DESCRIPTORS", fresh)
    reports: list[tuple[str, str]] = []

    def report(phrase: str, error: Any, request: Any) -> None:
        reports.append((phrase, str(error)))

    server = Server(answering("fine"), on_error=report)
    await server.start("127.0.0.1", 0, shared=is_shared)
    statuses: list[int] = []
    with ExitStack() as stack:
        stack.enter_context(free(12))
        for _ in range(5):
            reader, writer = await asyncio.open_connection(*server.address)
            stack.callback(writer.close)
            # One at a time: the server has its end of this one before the next begins.
            statuses.append((await Wire(reader, writer).ask(GET)).status)
        assert statuses[0] == 200
        assert statuses[-1] == 503
    assert [phrase for phrase, _ in reports] == ["file descriptors short"]
    assert "Too many open files" in reports[0][1]

    async with asyncio.timeout(5):
        while server.snapshot().connections:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*server.address)
    assert (await Wire(reader, writer).ask(GET)).status == 200
    writer.close()
    await server.drain(1.0)
