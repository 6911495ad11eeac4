"""breaker: after some failures it answers at once, and only now and then tries again."""

from collections.abc import Mapping
from time import monotonic
from typing import Annotated, Any

from heddle.extensions.extension import (
    IN,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Host,
    Interval,
    Kind,
    Node,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.runtime.assembly.retry_rule import error_data
from heddle.runtime.flow.elsewhere import ElsewhereError, resume


class Breaker(Fields):
    """The fields of a `breaker`."""

    failures: Annotated[int, about("How many failures in a row open it.", ge=1)] = 5
    wait: Annotated[
        Interval, about("How long it stays open before packets are let through on trial.")
    ] = Interval(30)
    trials: Annotated[
        int,
        about(
            "How many packets are let through on trial at a time; each must succeed to close it.",
            ge=1,
        ),
    ] = 1
    when: Annotated[
        Expression | None,
        about(
            "Which Errors count as failures: every one, unless said; the others show that it "
            "works. It sees `code`, `message`, `data` and `symbol` of the Error.",
            examples=["code == 'timeout'"],
        ),
    ] = None


class Circuit:
    """The state of a breaker, and how it came to be."""

    __slots__ = ("failed", "opened", "rejected", "round", "succeeded", "trying")

    def __init__(self) -> None:
        self.failed = 0
        self.opened: float | None = None
        self.trying = 0
        self.succeeded = 0
        self.rejected = 0
        self.round = 0


class BreakerNode(Node):
    """Counts failures; a successor goes on with the state it finds."""

    def __init__(self, fields: Breaker, when: Program | None) -> None:
        self._fields = fields
        self._wait = float(fields.wait)
        self._when = when
        self._circuit = Circuit()
        self._host: Host | None = None
        self._visit = Visit(self._act, plain=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with its state."""
        if isinstance(predecessor, BreakerNode):
            self._circuit = predecessor._circuit

    async def open(self, host: Host) -> None:
        """Keep the host, which emits that the breaker opens and closes."""
        self._host = host

    def snapshot(self) -> Mapping[str, Any]:
        """Return `closed`, `open` or `trying`, and the counts."""
        circuit = self._circuit
        state = "closed"
        if circuit.opened is not None:
            state = "open" if monotonic() - circuit.opened < self._wait else "trying"
        return {"state": state, "failures": circuit.failed, "rejected": circuit.rejected}

    def degraded(self) -> str:
        """Return a text that says that the breaker is open; "" if it is not."""
        circuit = self._circuit
        if circuit.opened is None:
            return ""
        return f"the breaker is open after {circuit.failed} failures in a row"

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        circuit = self._circuit
        trial = circuit.opened is not None
        if trial:
            left = self._left(circuit)
            if left is not None:
                circuit.rejected += 1
                return await flow.send("error", left)
            circuit.trying += 1
        begun = circuit.round
        failed: bool | None = None
        try:
            answer = await flow.send("out", payload)
            try:
                failed = self._failed(answer)
            except ElsewhereError as later:
                failed = await resume(later, self._failed, answer)
        finally:
            # Who was cancelled on trial has shown nothing: the next one tries.
            if trial and begun == circuit.round:
                circuit.trying -= 1
        # What began before the state changed says nothing of the state now.
        if failed is not None and begun == circuit.round:
            self._count(circuit, trial, failed)
        return await flow.send("error", answer) if type(answer) is Error else answer

    def _left(self, circuit: Circuit) -> Error | None:
        """Return the Error of a packet that is not let through; None if it is."""
        if circuit.opened is None:
            raise RuntimeError("the circuit is closed")
        left = circuit.opened + self._wait - monotonic()
        if left <= 0 and circuit.trying + circuit.succeeded < self._fields.trials:
            return None
        return Error(
            f"the breaker is open after {circuit.failed} failures in a row",
            code="busy",
            data={"retry_after": round(max(left, 0.0), 3)},
        )

    def _failed(self, answer: Answer) -> bool | None:
        """Return whether an answer counts as a failure; None if it says nothing: it was cancelled."""
        if type(answer) is not Error:
            return False
        if answer.code == "cancelled":
            return None
        return self._when is None or bool(self._when(error_data(answer)))

    def _count(self, circuit: Circuit, trial: bool, failed: bool) -> None:
        if not failed:
            circuit.succeeded += trial
            if not trial or circuit.succeeded >= self._fields.trials:
                circuit.failed = 0
                if trial:
                    self._turn(circuit, None)
            return
        circuit.failed += 1
        if trial or circuit.failed >= self._fields.failures:
            self._turn(circuit, monotonic())

    def _turn(self, circuit: Circuit, opened: float | None) -> None:
        """Open or close it."""
        circuit.opened = opened
        circuit.round += 1
        circuit.trying = circuit.succeeded = 0
        if self._host is not None:
            if opened is None:
                self._host.emit("breaker closed")
            else:
                self._host.emit("breaker open", level="warning", failures=circuit.failed)


def compile_breaker(fields: Breaker, build: Build) -> Node:
    """Compile the condition once."""
    when = build.condition(fields.when, "when") if fields.when is not None else None
    return BreakerNode(fields, when)


BREAKER: Kind[Any] = Kind(
    Schema(
        kind="breaker",
        fields=Breaker,
        summary="After some failures it answers at once, and only now and then tries again.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "What may fail."),
            Port(
                "error",
                "The Error that was answered, and an Error `busy` while it is open; what it answers "
                "is the answer.",
            ),
        ),
        example="""\
- kind: breaker
  name: guarded
  failures: 3
  wait: 10s
  ports:
    out:
      - {name: remote, port: in}
    error:
      - {name: instead, port: in}
- kind: throw
  name: remote
- kind: snippet
  name: instead
  language: text
  code: an older answer
""",
        details="""\
Closed, it sends every packet on and counts Errors in a row; a good answer begins the count anew. Open, it
answers at once with an Error `busy`, whose `data.retry_after` says for how many seconds still. After
`wait`, it lets `trials` packets through: if all are answered well it closes, with the first failure it
opens again. Packets of all processes count together. That it opens and closes is told in the log. A
`breaker` whose spec changes keeps its state.
""",
    ),
    compile_breaker,
)
