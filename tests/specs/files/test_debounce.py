"""Changes that come together are one batch, and a batch comes though changes never end."""

import asyncio

from heddle.specs.files.debounce import LONGEST, SLOW, PathDebounce


def test_what_is_touched_together_is_one_batch() -> None:
    async def story() -> None:
        batches: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        settling = PathDebounce(batches.put_nowait)
        for path in ("a", "b", "a"):
            settling.touch(path)
        assert await batches.get() == {"a", "b"}
        settling.touch("c")
        assert await batches.get() == {"c"}

    asyncio.run(story())


def test_a_finished_write_ends_the_wait_for_an_unfinished_one() -> None:
    async def story() -> None:
        batches: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        settling = PathDebounce(batches.put_nowait)
        loop = asyncio.get_running_loop()
        start = loop.time()
        settling.touch("a", 3600)
        settling.touch("a")
        assert await asyncio.wait_for(batches.get(), 60) == {"a"}
        assert loop.time() - start < 60

    asyncio.run(story())


def test_a_batch_comes_though_changes_never_end() -> None:
    async def story() -> None:
        batches: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        settling = PathDebounce(batches.put_nowait)
        loop = asyncio.get_running_loop()

        def again() -> None:
            settling.touch("a", SLOW)
            if batches.empty():
                loop.call_later(SLOW / 4, again)

        start = loop.time()
        again()
        assert await asyncio.wait_for(batches.get(), 60) == {"a"}
        assert loop.time() - start >= LONGEST - 0.01
        settling.close()

    asyncio.run(story())


def test_a_closed_settling_gives_nothing() -> None:
    async def story() -> None:
        batches: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        settling = PathDebounce(batches.put_nowait)
        settling.touch("a", 0)
        settling.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert batches.empty()

    asyncio.run(story())
