"""A heartbeat renews leases from a thread of its own, and stops when it is told to."""

import asyncio
import threading

import pytest

from heddle.extensions.tasks.run_stores.heartbeat import Heartbeat

pytestmark = pytest.mark.anyio


async def test_it_beats_until_it_is_stopped_and_can_begin_again() -> None:
    beats: list[str] = []
    beaten = threading.Event()

    def renew(now: float) -> None:
        beats.append(threading.current_thread().name)
        beaten.set()

    heartbeat = Heartbeat(renew, 0.01, health=60, failed=lambda error: None)
    for _ in range(3):
        beaten.clear()
        heartbeat.start()
        heartbeat.start()
        assert await asyncio.to_thread(beaten.wait, 30)
        named = [each for each in threading.enumerate() if each.name == beats[-1]]
        heartbeat.stop()
        for thread in named:
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive()
    assert set(beats) == {"heddle-runs-heartbeat"}


async def test_what_a_renewal_raises_is_reported_on_the_loop() -> None:
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def renew(now: float) -> None:
        raise OSError("the disk is gone")

    def report(error: BaseException) -> None:
        if not failed.done():
            failed.set_result(error)

    heartbeat = Heartbeat(renew, 0.01, health=60, failed=report)
    heartbeat.start()
    try:
        assert str(await failed) == "the disk is gone"
    finally:
        heartbeat.stop()
