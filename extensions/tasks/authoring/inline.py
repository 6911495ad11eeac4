"""A workflow is called in memory, here and now: a plain call if nothing waits."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from heddle.extensions.extension import Error, Node, NodeError
from heddle.extensions.tasks.run_inputs import read_inputs
from heddle.extensions.tasks.scheduler.context import RUN, RunContext, RunRoot
from heddle.extensions.tasks.workflow import EXECUTE
from heddle.runtime.assembly.expander import Expander
from heddle.runtime.assembly.extension import Registry, registry
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from heddle.schemas.errors import HeddleError, SpecError
from heddle.schemas.problem import Problem
from heddle.schemas.types.hints import plain_value
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.spec import Spec


class Authored(Protocol):
    """A workflow in Python: its name, its Specs, and what they were compiled to."""

    name: str
    compiled: Any

    def specs(self) -> tuple[Spec, ...]:
        """Return its Specs."""
        ...


class RunFailedError(HeddleError):
    """A run has failed; `error` is its Error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


class InlineWorkflow:
    """A workflow that was compiled beside every runtime. `opens` says that its nodes hold something."""

    def __init__(self, specs: tuple[Spec, ...]) -> None:
        """SpecError with every Problem."""
        self.specs = specs
        self._symbols = _compile(specs)
        table = SymbolTable(_never_again)
        plan = table.plan(self._symbols, ())
        table.commit(plan)
        for symbol in self._symbols:
            if not table.active(symbol):
                raise HeddleError(
                    f'"{symbol.label}" cannot run: {"; ".join(table.reasons(symbol))}'
                )
        self.wiring: Wiring = table.wiring
        self.id = self._symbols[0].id
        self.label = self._symbols[0].label
        self.node: Any = self._symbols[0].node
        # A workflow opens only for those who watch its events, and here is nobody.
        self.opens = any(
            type(symbol.node).open is not Node.open
            for symbol in self._symbols
            if symbol.spec.kind != "workflow"
        )
        self.waits = self.wiring.may_wait(self.id, EXECUTE)

    def check(self, record: Any) -> None:
        """Raise NodeError with every mistake in the inputs; a name that is not declared is one, too."""
        read_inputs(self.node.fields.inputs, record, strict=True)

    def begin(self, wiring: Wiring, root: RunRoot) -> LiveProcess:
        """Return a Process for a run in memory, whatever the Spec says of durable runs."""
        process = LiveProcess(wiring, None, self.label)
        process.set(RUN, RunContext(root, "", self.id))
        return process

    def call(self, record: Any) -> Any:
        """Return the answer, or the Error, of a workflow that does not wait."""
        process = self.begin(self.wiring, RunRoot())
        answer = process.run(self.wiring.entry(self.id, EXECUTE), record)
        ended = process.end(answer if type(answer) is Error else None)
        return ended if type(ended) is Error else answer


@asynccontextmanager
async def opened(compiled: InlineWorkflow) -> AsyncIterator[Wiring]:
    """Give a wiring in which the nodes are open: a runtime of its own, if one of them has to be."""
    if not compiled.opens:
        yield compiled.wiring
        return
    from heddle.runtime.runtime import Runtime
    from heddle.specs.stores.memory import MemoryStore

    namespace = compiled.specs[0].namespace
    store = MemoryStore(compiled.specs)
    async with Runtime(
        namespace=namespace, store=store, kinds=shared_registry(), watch=False
    ) as runtime:
        yield runtime.table.wiring


def call_workflow(workflow: Authored, inputs: Mapping[str, Any]) -> Any:
    """Run a workflow in memory and return its answer, plain data.

    A workflow whose tasks do not wait is a plain call, with or without an event loop around it; for
    any other an event loop is begun. RunFailedError has the Error of the run, SpecError every Problem of
    the workflow. Raise RuntimeError if it waits and an event loop runs here already: then `await run(…)`.
    """
    compiled = inline_of(workflow)
    record = plain_value(dict(inputs))
    try:
        compiled.check(record)
    except NodeError as failure:
        raise RunFailedError(failure.error) from None
    if not compiled.opens and not compiled.waits:
        return _answer_of(compiled.call(record))
    if _is_looping():
        raise RuntimeError(
            f"workflow {workflow.name} waits, and an event loop runs here: "
            f"use `await run({workflow.name}, …)`"
        )
    return _answer_of(asyncio.run(_run(compiled, record)))


def inline_of(workflow: Authored) -> InlineWorkflow:
    """Return the compiled workflow; it is compiled again only if what it says has changed."""
    # What it is linked to is elsewhere: called alone, its answer comes back.
    specs = tuple(msgspec.structs.replace(spec, ports={}) for spec in workflow.specs())
    known = workflow.compiled
    if not isinstance(known, InlineWorkflow) or known.specs != specs:
        known = workflow.compiled = InlineWorkflow(specs)
    return known


async def _run(compiled: InlineWorkflow, record: Any) -> Any:
    async with opened(compiled) as wiring:
        process = compiled.begin(wiring, RunRoot())
        return await finish(process, process.run(wiring.entry(compiled.id, EXECUTE), record))


def _answer_of(answer: Any) -> Any:
    if isinstance(answer, Error):
        raise RunFailedError(answer)
    return answer


@lru_cache(maxsize=1)
def shared_registry() -> Registry:
    """Return the kinds and languages of all installed extensions."""
    return registry()


def _compile(specs: tuple[Spec, ...]) -> list[Symbol]:
    named = {spec.name: spec for spec in specs if spec.name is not None}
    expander = Expander(shared_registry().scheme, ValueSet(()), {}, named.get)
    symbols: list[Symbol] = []
    problems: list[Problem] = []
    for spec in specs:
        effective = expander.bind(spec)
        problems += effective.binding.problems
        if not effective.binding.problems:
            symbols += expander.symbols(effective)
    if problems:
        raise SpecError(problems)
    return symbols


def _never_again(symbol: Symbol) -> Symbol:
    raise RuntimeError(f'"{symbol.label}" is compiled once')


def _is_looping() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
