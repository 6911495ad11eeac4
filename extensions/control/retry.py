"""retry: sends a packet again if the answer is an Error, with growing pauses."""

import asyncio
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    IN,
    Answer,
    Build,
    Duration,
    Error,
    Expression,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.elsewhere import await_program

ATTEMPTS = 3


class Retry(Fields):
    """The fields of a `retry`."""

    attempts: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        about(
            f"How often the packet is sent at most, the first time included; {ATTEMPTS} unless "
            "`threshold` is given."
        ),
    ] = None
    threshold: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None,
        about("How often it is sent again at most: one less than `attempts`."),
    ] = None
    delay: Annotated[Duration, about("The pause before it is sent again for the first time.")] = (
        Duration(0)
    )
    factor: Annotated[
        float, about("How many times longer each further pause is.", ge=1, le=1000)
    ] = 2.0
    max_delay: Annotated[
        Duration, about("No pause is longer than this, or than `delay` if that is longer.")
    ] = Duration(30)
    jitter: Annotated[
        float,
        about(
            "The share of each pause that may be left out at random, so that packets which failed "
            "together are not sent again together.",
            ge=0,
            le=1,
        ),
    ] = 0.5
    when: Annotated[
        Expression | None,
        about(
            "Which Errors are worth another attempt. It sees `code`, `message`, `data` and `symbol` "
            "of the Error, and `attempt`, the number of attempts so far.",
            examples=["code == 'timeout'", "attempt < 2 || message.contains('busy')"],
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.attempts is not None and self.threshold is not None:
            raise FieldError(
                "both attempts and threshold",
                expected="one of them: attempts counts the first time too",
                path=("threshold",),
            )


class RetryNode(Node):
    """Visits `out` until the answer is none to try again."""

    def __init__(self, attempts: RetryRule) -> None:
        self._attempts = attempts
        self._visit = Visit(self._act, waits=attempts.waits)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        process = flow.process
        made = 0
        while True:
            answer = await flow.send("out", payload)
            made += 1
            if type(answer) is not Error or process.reason is not None:
                return answer
            pause = await await_program(self._attempts.pause, answer, made, process.deadline)
            if pause is None:
                return await flow.send("error", answer)
            if pause:
                await asyncio.sleep(pause)


def compile_retry(fields: Retry, build: Build) -> Node:
    """Compile the condition once."""
    most = fields.attempts or ATTEMPTS
    if fields.threshold is not None:
        most = fields.threshold + 1
    return RetryNode(
        RetryRule(
            most=most,
            delay=float(fields.delay),
            factor=fields.factor,
            longest=float(fields.max_delay),
            jitter=fields.jitter,
            when=build.condition(fields.when, "when") if fields.when is not None else None,
        )
    )


RETRY: Kind[Any] = Kind(
    Schema(
        kind="retry",
        ways=lambda _: ("out",),
        fields=Retry,
        summary="Sends a packet again if the answer is an Error, with growing pauses.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "What may fail."),
            Port("error", "The last Error, once it is given up; what it answers is the answer."),
        ),
        example="""\
- kind: retry
  name: patiently
  attempts: 5
  delay: 50ms
  when: code == 'thrown'
  ports:
    out:
      - {name: shaky, port: in}
    error:
      - {name: excuse, port: in}
- kind: throw
  name: shaky
- kind: snippet
  name: excuse
  language: cel
  code: "'given up: ' + string(self)"
""",
        details="""\
Pauses are `delay`, `delay * factor`, and so on up to `max_delay`, each shortened at random by up to
`jitter` of it. Without a `delay` the packet is sent again at once. A process that is cancelled stops
waiting, and a pause that would pass its deadline is not begun: the Error is given up there and then.

The same packet is sent each time. A stream can be read only once: who retries what reads one wants its
content, not the stream. With `error` not linked, the last Error is the answer.
""",
    ),
    compile_retry,
)
