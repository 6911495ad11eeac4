"""Small running worlds: kinds made of nodes, Specs that are linked by name, a store, a runtime."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from heddle.runtime.assembly.codec import Build, Kind
from heddle.runtime.assembly.extension import ExtensionSource, Registry, registry
from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.events.events import Event
from heddle.runtime.flow.contracts import Host
from heddle.runtime.flow.errors import Answer, Payload
from heddle.runtime.flow.node import Action, Choice, Handler, Node
from heddle.runtime.runtime import Runtime
from heddle.schemas.field import Fields, about
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.port import Port
from heddle.schemas.problem import Place
from heddle.schemas.schema import Schema
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import ChangeSet, Delete, Put, Resource
from heddle.specs.model.symbol_status import SymbolStatus
from heddle.specs.model.value import Value
from heddle.specs.stores.memory import MemoryStore


class NoFields(Fields):
    """No fields of its own."""


def ports(names: Iterable[str], indexed: tuple[str, ...] = ("in", "out")) -> tuple[Port, ...]:
    return tuple(Port(name, indexed=name in indexed) for name in names)


def kind_of(
    name: str,
    make: Callable[[], Node],
    *,
    ins: Iterable[str] = ("in",),
    outs: Iterable[str] = ("out", "error"),
) -> Kind[Any]:
    """Return a kind without fields, whose nodes are made like this."""
    schema = Schema(kind=name, fields=NoFields, summary=name, ins=ports(ins), outs=ports(outs))
    return Kind(schema, lambda _fields, _build: make())


# -- a kind that remembers what happens to it ---------------------------------------------------


class Step(Fields):
    """What a `step` says: what it adds to a payload, and what it does on its way."""

    add: Annotated[str, about("Written behind the payload.")] = ""
    open: Annotated[str, about("What opening does: nothing, fail, hang or exit.")] = ""
    adopt: Annotated[str, about("What adopting does: nothing or fail.")] = ""
    close: Annotated[str, about("What closing does: nothing, fail or hang.")] = ""
    waits: Annotated[bool, about("Whether packets wait for the gate.")] = False
    refuse: Annotated[str, about("What compiling rejects with.")] = ""
    secret: Annotated[str, about("Something that is not to be seen.")] = ""


class StepNode(Node):
    """Adds a text to each payload, and writes down everything that happens to it."""

    def __init__(self, fields: Step, label: str, log: list[str], gate: asyncio.Event) -> None:
        self.fields = fields
        self.label = f"{label}{fields.add}"
        self.log = log
        self.gate = gate
        self.heir_of: StepNode | None = None
        self.lent = False
        self.closed = 0
        self._action = Action(self._wait if fields.waits else self._add)

    def handler(self, port: str) -> Handler | None:
        return self._action if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        assert isinstance(predecessor, StepNode)
        self._say(f"adopt {predecessor.label}")
        predecessor.lent = True
        self.heir_of = predecessor
        if self.fields.adopt == "fail":
            raise ValueError("cannot adopt")

    def disown(self, predecessor: Node) -> None:
        assert isinstance(predecessor, StepNode)
        predecessor.lent = False
        self._say(f"disown {predecessor.label}")

    async def open(self, host: Host) -> None:
        self._say("open")
        if self.fields.open == "fail":
            raise OSError(98, "Address already in use", "[::]:80 " + self.fields.secret)
        if self.fields.open == "exit":
            raise SystemExit(2)
        if self.fields.open == "hang":
            await asyncio.get_running_loop().create_future()
        if self.fields.open == "gate":
            await self.gate.wait()

    async def pause(self) -> None:
        self._say("pause")

    async def close(self) -> None:
        self._say("close")
        self.closed += 1
        if self.fields.close == "fail":
            raise ValueError("cannot close")
        if self.fields.close == "hang":
            await asyncio.get_running_loop().create_future()

    def snapshot(self) -> Mapping[str, Any]:
        return {"add": self.fields.add, "shown": self.fields.secret}

    def _add(self, payload: Payload) -> Answer:
        return f"{payload}{self.fields.add}"

    async def _wait(self, payload: Payload) -> Answer:
        await self.gate.wait()
        return f"{payload}{self.fields.add}"

    def _say(self, what: str) -> None:
        self.log.append(f"{self.label}: {what}")


class Boom(Fields):
    """What a `boom` says."""

    message: Annotated[str, about("What it fails with.")] = "boom"


class World:
    """The kinds of one story, what happened to their nodes, and the gate that packets wait at."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gate = asyncio.Event()
        self.compiled: list[str] = []

    def kinds(self) -> list[ExtensionSource]:
        step = Schema(
            kind="step",
            fields=Step,
            summary="Adds.",
            ins=ports(["in"], ()),
            outs=ports(["out", "error", "side"], ()),
        )
        boom = Schema(kind="boom", fields=Boom, summary="Fails.", ins=ports(["in"], ()))
        return [
            Kind(step, self._step),
            Kind(boom, lambda fields, _: Fails(fields.message)),
            kind_of("router", lambda: Routes(), outs=("out", "error")),
        ]

    def _step(self, fields: Step, build: Build) -> Node:
        self.compiled.append(build.spec.label)
        if fields.refuse == "crash":
            raise RuntimeError(f"codec of {fields.secret}")
        if fields.refuse:
            build.reject("refuse", found=f"{fields.refuse} {fields.secret}", expected="nothing")
        return StepNode(fields, build.spec.label, self.log, self.gate)


class Fails(Node):
    """Fails at every packet."""

    def __init__(self, message: str) -> None:
        self._message = message

    def handler(self, port: str) -> Handler | None:
        return Action(self._fail) if port == "in" else None

    def _fail(self, _: Payload) -> Payload:
        raise ValueError(self._message)


class Routes(Node):
    """Sends each payload to the out port that it names."""

    def handler(self, port: str) -> Handler | None:
        return Choice(lambda payload: (payload, "")) if port == "in" else None


# -- Specs -----------------------------------------------------------------------------------------


def linked(
    kind: str,
    name: str,
    to: Mapping[str, str | Iterable[str]] | str | None = None,
    *,
    env: Mapping[str, Binding] | None = None,
    **fields: Any,
) -> Spec:
    """Return a Spec whose ports lead to these names: `{"out": "b", "error": ["c", "d:in[1]"]}`."""
    wanted = {"out": to} if isinstance(to, str) else to or {}
    links = {
        port: tuple(_link(one) for one in ([names] if isinstance(names, str) else names))
        for port, names in wanted.items()
    }
    return Spec(
        id=named_id("spec", "default", name),
        kind=kind,
        name=name,
        ports=links,
        fields=fields,
        env=env or {},
        places=Places(name),
    )


class Places:
    """Everything of one Spec stands in a file of its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, path: Path) -> Place:
        return Place(f"{self._name}.yaml", 1 + len(path), 1)


def _link(text: str) -> Link:
    name, _, port = text.partition(":")
    return Link(name=name, port=port or "in")


def step(name: str, to: Mapping[str, str | Iterable[str]] | str | None = None, **said: Any) -> Spec:
    """Return a `step` that adds its name, unless it says otherwise."""
    return linked("step", name, to, **{"add": name, **said})


def value(name: str, data: Any, *, secret: bool = False) -> Value:
    return Value(id=named_id("value", "default", name), name=name, data=data, secret=secret)


def bound(name: str) -> Mapping[str, Binding]:
    """Return an `env` with one Value, under its own name in capitals."""
    return {name.upper(): Binding(name=name)}


# -- running ---------------------------------------------------------------------------------------


def registry_of(sources: Iterable[ExtensionSource]) -> Registry:
    return registry(sources, installed=False)


@asynccontextmanager
async def world(
    resources: Iterable[Resource], kinds: Iterable[ExtensionSource], **options: Any
) -> AsyncIterator[Runtime]:
    """Provide a runtime of these kinds and Specs, in a memory store."""
    store = MemoryStore(resources)
    async with Runtime(store=store, kinds=registry_of(kinds), **options) as rt:
        yield rt


async def put(rt: Runtime, *resources: Resource) -> LoadResult:
    """Put them as one change set, and load it."""
    return await change(rt, *(Put(resource=one) for one in resources))


async def remove(rt: Runtime, *resources: Resource) -> LoadResult:
    """Delete them as one change set, and load it."""
    return await change(rt, *(Delete(type=type(one), id=one.id) for one in resources))


async def change(rt: Runtime, *changes: Put | Delete) -> LoadResult:
    """Apply one change set; only for runtimes that do not watch their store."""
    await rt.store.apply(changes)
    keys = [
        (type(one.resource), one.resource.id) if isinstance(one, Put) else (one.type, one.id)
        for one in changes
    ]
    specs = frozenset(key for sort, key in keys if sort is Spec)
    values = frozenset(key for sort, key in keys if sort is Value)
    revision = await rt.store.newest()
    return await rt.load(ChangeSet(specs=specs, values=values, revision=revision))


def told(rt: Runtime, *names: str) -> list[Event]:
    """Return the events of these names, so far."""
    return [one for one in rt.events.recent if one.event in names]


def node_of(rt: Runtime, name: str) -> StepNode:
    symbol = rt.table.get(name)
    assert symbol is not None
    assert isinstance(symbol.node, StepNode)
    return symbol.node


RUNNING = frozenset({"active", "degraded", "draining"})


def run_state(status: SymbolStatus) -> str:
    """Return `active` for a symbol that runs, whichever revision of it, and else its state."""
    return "active" if status.state in RUNNING else status.state
