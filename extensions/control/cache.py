"""cache: keeps answers for a while, and asks only once for what many want at the same time."""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Annotated, Any

from heddle.extensions.control.keys import KeyOf, Recent, key_program
from heddle.extensions.extension import (
    ERROR,
    IN,
    NOTHING,
    Action,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Interval,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program, resume


class Cache(Fields):
    """The fields of a `cache`."""

    key: Annotated[
        Expression | None,
        about(
            "What tells packets apart; the whole payload, unless said.",
            examples=["path + '?' + string(query)"],
        ),
    ] = None
    ttl: Annotated[Interval, about("How long an answer is kept.")] = Interval(60)
    keep: Annotated[
        Expression | None,
        about(
            "Which answers are worth keeping; all, unless said.",
            examples=["self.status == 200"],
        ),
    ] = None
    size: Annotated[
        int, about("How many answers are kept at most; the one not used longest goes first.", ge=1)
    ] = 1000


class SharedAnswer:
    """One question that is under way, and who waits for its answer with it."""

    __slots__ = ("answered", "process")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.answered: asyncio.Future[Answer] | None = None

    def inside(self, process: Process) -> bool:
        """Return whether a packet of this process is part of the question: it cannot wait for itself."""
        parent: Process | None = process
        while parent is not None:
            if parent is self.process:
                return True
            parent = parent.parent
        return False


class Answers:
    """The answers that are kept, and the questions under way."""

    __slots__ = ("asking", "hits", "kept", "misses")

    def __init__(self, size: int) -> None:
        self.kept: Recent[tuple[Answer]] = Recent(size)
        self.asking: dict[Hashable, SharedAnswer] = {}
        self.hits = 0
        self.misses = 0


class CacheNode(Node):
    """Visits `out` for what it does not know; a successor goes on with what is kept."""

    def __init__(self, fields: Cache, key: KeyOf, keep: Program | None) -> None:
        self._ttl = float(fields.ttl)
        self._size = fields.size
        self._key = key
        self._keep = keep
        self._answers = Answers(fields.size)
        # It waits only for what was asked through `out`, so if that never waits nor does it.
        self._visit = Visit(self._act)
        self._forget = Action(self._forgotten, out=None)

    def handler(self, port: str) -> Handler | None:
        """Questions come in at `in`, what is no longer true at `forget`."""
        if port == "in":
            return self._visit
        return self._forget if port == "forget" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with what it has kept."""
        if isinstance(predecessor, CacheNode):
            self._answers = predecessor._answers
            self._answers.kept.size = self._size

    def disown(self, predecessor: Node) -> None:
        """There is as much room as before."""
        if isinstance(predecessor, CacheNode):
            self._answers.kept.size = predecessor._size

    def snapshot(self) -> Mapping[str, Any]:
        """Return how often it knew, how often it had to ask, and how many answers it keeps."""
        answers = self._answers
        return {"hits": answers.hits, "misses": answers.misses, "kept": len(answers.kept)}

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        try:
            key = self._key(payload)
        except ElsewhereError as later:
            key = await resume(later, self._key, payload)
        answers = self._answers
        while True:
            kept = answers.kept.get(key)
            if kept is not None:
                answers.hits += 1
                return kept[0]
            asking = answers.asking.get(key)
            if asking is None or asking.inside(flow.process):
                return await self._fetch(flow, key, payload)
            if asking.answered is None:
                asking.answered = asyncio.get_running_loop().create_future()
            answer = await asyncio.shield(asking.answered)
            if answer is not NOTHING:
                answers.hits += 1
                return answer

    async def _fetch(self, flow: Flow, key: Hashable, payload: Payload) -> Answer:
        """Ask, keep the answer, and give it to all who wait for it."""
        answers = self._answers
        answers.misses += 1
        asking = SharedAnswer(flow.process)
        first = answers.asking.setdefault(key, asking) is asking
        shared: Answer = NOTHING
        try:
            answer = await flow.send("out", payload)
            if type(answer) is Error:
                # Who was cancelled was so for its own sake: the others ask for themselves.
                shared = NOTHING if flow.process.reason is not None else answer
            elif await self._worth(answer) if self.leaves else self._worth_keeping(answer):
                # Who is no longer asking was forgotten meanwhile, or asks within its own question.
                if answers.asking.get(key) is asking:
                    answers.kept.put(key, (answer,), self._ttl)
                shared = answer
            return answer
        finally:
            if first:
                if answers.asking.get(key) is asking:
                    del answers.asking[key]
                if asking.answered is not None and not asking.answered.done():
                    asking.answered.set_result(shared)

    async def _worth(self, answer: Answer) -> bool:
        worth: bool = await await_program(self._worth_keeping, answer)
        return worth

    def _worth_keeping(self, answer: Answer) -> bool:
        if answer is NOTHING or not data(answer):
            return False
        return self._keep is None or bool(self._keep(answer))

    def _forgotten(self, payload: Payload) -> Answer:
        key = self._key(payload)
        self._answers.kept.pop(key)
        # What is being asked for now may be outdated as well: it is not kept for others.
        self._answers.asking.pop(key, None)
        return NOTHING


def data(answer: Answer) -> bool:
    """Return whether an answer is plain data: a stream and a WebSocket cannot be given twice."""
    todo = [answer]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list | tuple):
            todo.extend(value)
        elif value is not None and not isinstance(value, str | bytes | int | float):
            return False
    return True


def compile_cache(fields: Cache, build: Build) -> Node:
    """Compile the expressions once."""
    keep = build.condition(fields.keep, "keep") if fields.keep is not None else None
    return CacheNode(fields, key_program(build, fields.key, whole=True), keep)


CACHE: Kind[Any] = Kind(
    Schema(
        kind="cache",
        fields=Cache,
        summary="Keeps answers for a while, and asks only once for what many want at the same time.",
        category="control",
        ins=(IN, Port("forget", "A packet whose answer is no longer true; answered NOTHING.")),
        outs=(Port("out", "What answers a packet whose answer is not kept."), ERROR),
        example="""\
- kind: cache
  name: remembered
  key: self.city
  ttl: 5m
  ports:
    out:
      - {name: forecast, port: in}
- kind: snippet
  name: forecast
  language: cel
  code: "{'city': self.city, 'weather': 'fine'}"
""",
        details="""\
Errors, NOTHING, streams and WebSockets are never kept, nor is what `keep` does not hold for. While one
process asks, others with the same key wait for its answer, an Error included; if that is not to be kept, or
its process is cancelled, the next of them asks. A packet that comes back to the cache from within its own
question is asked for on the spot.

An answer is shared by all who get it, in memory. A packet at `forget` makes the answer of its key be asked
for anew. A `cache` whose spec changes keeps what it has.
""",
    ),
    compile_cache,
)
