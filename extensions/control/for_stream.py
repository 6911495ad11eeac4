"""The answers of a `for` as a stream: an item is worked on when its answer is asked for."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic
from typing import Any, NamedTuple

from heddle.extensions.control.concurrent import stop
from heddle.extensions.control.items import Item, arriving, items, streams
from heddle.extensions.extension import (
    NOTHING,
    Answer,
    Error,
    Flow,
    NodeError,
    Payload,
    Process,
    Stream,
)
from heddle.extensions.pieces import Parts
from heddle.runtime.assembly.retry_rule import error_data
from heddle.runtime.flow.finish import abandon, finish, settle
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.step import FAILURES

AHEAD = 256
"""Items of an answer that is a stream itself which are read before its turn, when items run at the same time."""

BREATH = 0.01
"""Seconds after which items that are there already let others have their turn."""


class StreamRules(NamedTuple):
    """The settings of a `for` over a stream of answers; `limit` is None if there is none."""

    concurrency: int
    entries: bool
    limit: int | None
    stream: Parts
    on_error: str


class ItemOutcome(NamedTuple):
    """The answers of one item: those that are there, and what is left of a stream that is longer."""

    answers: list[Answer]
    rest: AsyncGenerator[Answer, None] | None = None
    failure: BaseException | None = None


def answer_stream(flow: Flow, rules: StreamRules, payload: Payload) -> Stream:
    """Return the answers of the items, in their order; what feeds it is closed with the process."""
    close = getattr(payload, "aclose", None)
    stream = Stream(_answers(flow, rules, payload), close=close)
    flow.process.own(stream)
    return stream


async def _answers(
    flow: Flow, rules: StreamRules, payload: Payload
) -> AsyncGenerator[Answer, None]:
    """Yield the answers; the answer of the port `error` is the last one if something fails."""
    work = _at_once if rules.concurrency > 1 else _in_turn
    try:
        async with aclosing(work(flow, rules, _numbered(payload, rules))) as answers:
            async for answer in answers:
                yield answer
    except FAILURES as failure:
        if not flow.linked("error"):
            raise
        last = await settle(flow.begin("error", Error.of(failure)))
        if type(last) is Error:
            raise NodeError(last) from failure
        async for answer in _flat(last):
            yield answer


async def _numbered(payload: Payload, rules: StreamRules) -> AsyncGenerator[Payload, None]:
    """Yield what is sent for each item; NodeError past the limit."""
    source = arriving(payload, rules.stream) if streams(payload) else _known(payload)
    limit = rules.limit
    index = 0
    async with aclosing(source):
        async for key, value in source:
            if limit is not None and index >= limit:
                raise NodeError(Error(f"there are more than {limit} items", code="limit"))
            yield {"index": index, "key": key, "value": value} if rules.entries else value
            index += 1


async def _known(payload: Payload) -> AsyncGenerator[Item, None]:
    """Yield the items of data, with a breath now and then: nothing else here may ever wait."""
    began = monotonic()
    for number, item in enumerate(items(payload)):
        if not number & 63 and monotonic() - began > BREATH:
            await asyncio.sleep(0)
            began = monotonic()
        yield item


async def _in_turn(
    flow: Flow, rules: StreamRules, sent: AsyncGenerator[Payload, None]
) -> AsyncGenerator[Answer, None]:
    """Yield the answers of items that run one after the other, in the process of the packet."""
    process = flow.process
    async with aclosing(sent):
        async for value in sent:
            held = process.held_count
            answer = flow.begin("out", value)
            if type(answer) is PendingAnswer:
                answer = await answer
            if type(answer) is Error:
                answer = _failed(answer, rules)
            if streams(answer):
                async for each in _flat(answer):
                    yield each
            elif answer is not NOTHING:
                yield answer
            # Its reader is done with this item: the process may see very many of them.
            process.release(held)


async def _at_once(
    flow: Flow, rules: StreamRules, sent: AsyncGenerator[Payload, None]
) -> AsyncGenerator[Answer, None]:
    """Yield the answers of items that run in children, so many at a time, in the order of the items."""
    start = flow.process.tasks.start
    works: deque[asyncio.Task[ItemOutcome]] = deque()
    following: asyncio.Task[Payload] | None = start(_next(sent), awaited=True)
    broken: BaseException | None = None
    try:
        while works or following is not None:
            waited: set[asyncio.Task[Any]] = {works[0]} if works else set()
            if following is not None and len(works) < rules.concurrency:
                waited.add(following)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if following is not None and following in waited and following.done():
                ended, following = following, None
                broken = ended.exception()
                # What failed comes after the answers of the items before it.
                if broken is None and ended.result() is not _END:
                    works.append(start(_work(flow, rules, ended.result()), awaited=True))
                    following = start(_next(sent), awaited=True)
            while works and works[0].done():
                async for answer in _outcome_items(works[0].result()):
                    yield answer
                works.popleft()
        if broken is not None:
            raise broken
    finally:
        left = [*works, *([following] if following is not None else [])]
        if left:
            await stop(left)
        for work in works:
            await _leave(work)
        await sent.aclose()


async def _outcome_items(outcome: ItemOutcome) -> AsyncGenerator[Answer, None]:
    """Yield all answers of one item; raise what its stream failed by after those that came before."""
    for answer in outcome.answers:
        yield answer
    if outcome.failure is not None:
        raise outcome.failure
    if outcome.rest is not None:
        async for answer in outcome.rest:
            yield answer


async def _leave(work: "asyncio.Task[ItemOutcome]") -> None:
    """Close the stream of an item that nobody reads to its end."""
    if work.done() and not work.cancelled() and work.exception() is None:
        rest = work.result().rest
        if rest is not None:
            await rest.aclose()


_END: Any = object()


async def _next(sent: AsyncGenerator[Payload, None]) -> Payload:
    return await anext(sent, _END)


async def _work(flow: Flow, rules: StreamRules, value: Payload) -> ItemOutcome:
    """Return the answers of one item, which runs in a child until the last of them is read."""
    child = flow.fork()
    answer = flow.run(child, "out", value)
    try:
        answer = await settle(answer)
    except BaseException as error:
        await abandon(child, error)
        raise
    if streams(answer):
        return await _read_ahead(_of_child(child, answer))
    answer = await finish(child, answer)
    if type(answer) is Error:
        answer = _failed(answer, rules)
    return ItemOutcome([] if answer is NOTHING else [answer])


async def _read_ahead(stream: AsyncGenerator[Answer, None]) -> ItemOutcome:
    """Return the first items of a stream. The others wait for their turn: there may be no end of them."""
    answers: list[Answer] = []
    try:
        async for each in stream:
            answers.append(each)
            if len(answers) == AHEAD:
                return ItemOutcome(answers, stream)
    except FAILURES as failure:
        # What came before it is answered before it.
        return ItemOutcome(answers, failure=failure)
    return ItemOutcome(answers)


async def _of_child(child: Process, answer: Answer) -> AsyncGenerator[Answer, None]:
    """Yield the items of the answer of a child, and end the child after the last of them."""
    try:
        async with aclosing(_flat(answer)) as items:
            async for each in items:
                yield each
    except BaseException as error:
        await abandon(child, error)
        raise
    await finish(child, NOTHING)


def _failed(error: Error, rules: StreamRules) -> Answer:
    """Return what stands in the place of an Error; NodeError if it ends the stream."""
    if rules.on_error == "keep":
        return {"error": error_data(error)}
    if rules.on_error == "skip":
        return NOTHING
    raise NodeError(error)


async def _flat(answer: Answer) -> AsyncGenerator[Answer, None]:
    """Yield an answer, or the items of one that is a stream itself."""
    if not streams(answer):
        if answer is not NOTHING:
            yield answer
        return
    try:
        async for item in answer:
            yield item
    finally:
        close = getattr(answer, "aclose", None)
        if close is not None:
            await close()
