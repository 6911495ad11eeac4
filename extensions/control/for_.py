"""for: sends each item of a list, a map or a stream on, and gathers the answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.control.concurrent import together
from heddle.extensions.control.for_stream import StreamRules, answer_stream
from heddle.extensions.control.items import (
    PARTS_HELP,
    Item,
    arriving,
    items,
    sized,
    streams,
)
from heddle.extensions.control.ports import only_outs
from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.extensions.pieces import Parts
from heddle.runtime.assembly.retry_rule import error_data
from heddle.runtime.flow.elsewhere import await_program
from heddle.runtime.flow.finish import finish

LIMIT = 1_000_000
"""How many items there may be, if a `for` that keeps their answers says nothing."""


class For(Fields):
    """The fields of a `for`."""

    concurrency: Annotated[
        int,
        about(
            "How many items are under way at the same time. With more than one, each item runs in "
            "a child process; the answers keep the order of the items.",
            ge=1,
            le=10_000,
        ),
    ] = 1
    on_error: Annotated[
        Literal["collect", "fail", "skip", "keep"],
        about(
            "What an item that is answered with an Error does. `collect`: every item has its turn, "
            "then one Error carries them all. `fail`: the first ends it. `skip`: its answer is left "
            "out. `keep`: `{error: {code, message, …}}` stands in its place."
        ),
    ] = "collect"
    entries: Annotated[
        bool,
        about(
            "Send `{index, key, value}` instead of the item alone. In a list `key` is the index, "
            "in a map the name."
        ),
    ] = False
    results: Annotated[
        Literal["all", "count", "stream"],
        about(
            "`all`: the answers; `count`: only how many items were answered without an Error; "
            "`stream`: a stream of the answers, each made when it is asked for."
        ),
    ] = "all"
    items: Annotated[
        Expression | None,
        about("What the items are, if not the packet itself.", examples=["self.body"]),
    ] = None
    stream: Annotated[Parts, about(PARTS_HELP)] = "lines"
    limit: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        about(
            f"More items than this are an Error; {LIMIT:,} if it is not written, and none with "
            "`results: stream`."
        ),
    ] = None


class ItemAnswers:
    """The answers of one packet's items so far."""

    __slots__ = ("_all", "_named", "answers", "count", "errors", "fields", "halted", "keys")

    def __init__(self, fields: For, payload: Payload) -> None:
        self.fields = fields
        self._named = isinstance(payload, dict)
        self._all = fields.results == "all"
        self.answers: dict[int, Answer] = {}
        self.keys: dict[int, Any] = {}
        self.errors: dict[int, Error] = {}
        self.count = 0
        self.halted = False

    def take(self, index: int, key: Any, answer: Answer) -> None:
        """Take the answer of an item."""
        if type(answer) is not Error:
            self.count += 1
        else:
            policy = self.fields.on_error
            if policy == "keep":
                answer = {"error": error_data(answer)}
            else:
                if policy != "skip":
                    self.errors[index] = answer
                    self.halted = policy == "fail"
                return
        if answer is not NOTHING and self._all:
            self.answers[index] = answer
            if self._named:
                self.keys[index] = key

    def error(self) -> Error | None:
        """Return every Error that counts, as one."""
        if not self.errors:
            return None
        return Error.join(self.errors[index] for index in sorted(self.errors))

    def results(self, payload: Payload) -> Answer:
        """Return what the items come to: a map for a map, one answer for what is not a list, else a list."""
        if self.fields.results == "count":
            return self.count
        answers = self.answers
        if self.fields.concurrency > 1:
            answers = {index: answers[index] for index in sorted(answers)}
        if isinstance(payload, dict):
            return {self.keys[index]: answer for index, answer in answers.items()}
        values = list(answers.values())
        if not sized(payload) and not streams(payload):
            return values[0] if values else NOTHING
        return values


class ItemFeed:
    """The items, handed to whoever is free, each with its number."""

    __slots__ = ("_known", "_later", "_limit", "_lock", "_number")

    def __init__(
        self, known: Iterator[Item] | None, later: AsyncIterator[Item] | None, limit: int
    ) -> None:
        self._known = known
        self._later = later
        self._limit = limit
        self._number = -1
        self._lock = asyncio.Lock()

    async def next(self) -> tuple[int, Item] | None:
        """Return the next one; None after the last."""
        if self._known is not None:
            item = next(self._known, None)
        else:
            if self._later is None:
                raise RuntimeError("there are no items")
            async with self._lock:
                item = await anext(self._later, None)
        if item is None:
            return None
        self._number += 1
        if self._number >= self._limit:
            raise too_many(self._limit)
        return self._number, item


class ForNode(Node):
    """Visits `out` once for each item."""

    def __init__(self, fields: For, program: Program | None) -> None:
        self._fields = fields
        self._limit = LIMIT if fields.limit is None else fields.limit
        self._program = program
        self._rules = StreamRules(
            fields.concurrency, fields.entries, fields.limit, fields.stream, fields.on_error
        )
        self._visit = Visit(self._act, waits=fields.concurrency > 1)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        if self._program is not None:
            payload = await await_program(self._program, payload)
        if self._fields.results == "stream":
            return await flow.send("out[1]", answer_stream(flow, self._rules, payload))
        gathered = ItemAnswers(self._fields, payload)
        if streams(payload):
            # Who reads a stream waits for it, and that needs a task: from here on there is one.
            await asyncio.sleep(0)
            async with aclosing(arriving(payload, self._fields.stream)) as later:
                await self._visit_all(flow, gathered, None, later, self._fields.concurrency)
        else:
            most = min(self._fields.concurrency, len(payload) if sized(payload) else 1)
            if most:
                await self._visit_all(flow, gathered, items(payload), None, most)
        error = gathered.error()
        if error is not None:
            return await flow.send("error", error)
        return await flow.send("out[1]", gathered.results(payload))

    async def _visit_all(
        self,
        flow: Flow,
        gathered: ItemAnswers,
        known: Iterator[Item] | None,
        later: AsyncIterator[Item] | None,
        most: int,
    ) -> None:
        if self._fields.concurrency > 1:
            feed = ItemFeed(known, later, self._limit)
            with suppress(HaltedError):
                await together(
                    flow.process, [self._work(flow, gathered, feed) for _ in range(most)]
                )
        elif known is not None:
            entries, limit = self._fields.entries, self._limit
            for index, (key, value) in enumerate(known):
                if index >= limit:
                    raise too_many(limit)
                sent = {"index": index, "key": key, "value": value} if entries else value
                await self._visit_one(flow, gathered, index, key, sent)
                if gathered.halted:
                    return
        elif later is not None:
            feed = ItemFeed(None, later, self._limit)
            while not gathered.halted and (entry := await feed.next()) is not None:
                index, (key, value) = entry
                sent = self._sent(index, key, value)
                await self._visit_one(flow, gathered, index, key, sent)

    async def _visit_one(
        self, flow: Flow, gathered: ItemAnswers, index: int, key: Any, sent: Payload
    ) -> None:
        """Send one item, and note its answer. If only the number counts, its memory is given back."""
        held = flow.process.held_count
        gathered.take(index, key, await flow.send("out", sent))
        if self._fields.results == "count":
            flow.process.release(held)

    def _sent(self, index: int, key: Any, value: Any) -> Payload:
        """Return what is sent for one item."""
        return {"index": index, "key": key, "value": value} if self._fields.entries else value

    async def _work(self, flow: Flow, gathered: ItemAnswers, feed: ItemFeed) -> None:
        """Take items as long as there are any, each in a child process of its own."""
        while not gathered.halted and (entry := await feed.next()) is not None:
            index, (key, value) = entry
            sent = self._sent(index, key, value)
            child = flow.fork()
            answer = await finish(child, flow.run(child, "out", sent))
            gathered.take(index, key, answer)
            if gathered.halted:
                raise HaltedError


class HaltedError(Exception):
    """An item failed, and the others are to stop."""


def too_many(limit: int) -> NodeError:
    """Return what more items than the limit are answered with."""
    return NodeError(Error(f"there are more than {limit} items", code="limit"))


def compile_for(fields: For, build: Build) -> Node:
    """Return a link past `out[1]` is a Problem."""
    only_outs(build, "each item", "the results")
    program = build.program(fields.items, "items") if fields.items is not None else None
    return ForNode(fields, program)


FOR: Kind[Any] = Kind(
    Schema(
        kind="for",
        fields=For,
        summary="Sends each item of a list, a map or a stream on, and gathers the answers in order.",
        category="control",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "`out[0]`: each item; `out[1]`: the results, once all are there.",
                indexed=True,
            ),
            Port(
                "error",
                "What failed: an item, or the stream itself; what it answers is the answer, or the last item of a stream of results.",
            ),
        ),
        example="""\
- kind: for
  name: each
  concurrency: 4
  ports:
    out[0]:
      - {name: double, port: in}
    out[1]:
      - {name: total, port: in}
- kind: snippet
  name: double
  language: cel
  code: self * 2
- kind: snippet
  name: total
  language: cel
  code: "{'items': size(self), 'doubled': self}"
""",
        details="""\
A list comes out as a list, whatever its length: an empty one as `[]`, one item as a list of one. The
entries of a map are visited value by value, and the results are a map with the same keys. A stream of
bytes is taken apart into lines, chunks, events or JSON values while it arrives; any other stream into what
it brings. Its results are a list. Anything else is one item, and its answer is the result.

An answer of NOTHING leaves its item out of the results. With `out[0]` not linked, each item is its own
answer; with `out[1]` not linked, the results are the answer.

One after the other (`concurrency: 1`), items run in the process of the packet: they share its data and
its transaction. At the same time, each runs in a child process: it reads the data of the packet's process
and writes its own. Items are only taken from a stream as fast as they are worked on. A packet that is
cancelled stops every item that is under way, and so does the first Error if `on_error` is `fail`.

With `results: stream` the `for` is done at once: what it sends to `out[1]` is a stream, and an item is taken
and worked on when its reader wants the next answer. So no more than `concurrency` items are in memory,
however long the stream is, and whatever feeds it is closed when its reader leaves. An answer that is a
stream itself brings its items in its place; at the same time, up to 256 of them are read before its turn. An Error cannot be gathered for later: `collect` is `fail`
here. It goes to `error`, whose answer is then the last item; with nothing linked there, the stream breaks
off. See [streams](../streams.md).
""",
    ),
    compile_for,
)
