"""Helps for stories of changes: stores of some YAML, plans of other YAML, and what is told of both."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

from heddle.runtime.assembly.extension import Registry, registry
from heddle.runtime.changes.apply import plan_apply
from heddle.runtime.changes.plan import ApplyResult, Plan, apply_plan
from heddle.runtime.runtime import Runtime
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.model.store import Resource, Store
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text
from tests.waiting import until as so

PATIENCE = 20.0
"""Seconds until something that has to come counts as missing."""

FLOW = """\
- kind: pipe
  name: start
  ports:
    out: [{name: pong, port: in}]
- {kind: snippet, name: pong, language: text, code: pong}
- {kind: nop, name: other}
"""


@cache
def everything() -> Registry:
    """Return the registry of all installed kinds."""
    return registry()


def read(text: str, namespace: str = "default") -> list[Resource]:
    """Return what a text says."""
    reading = read_text(text, file="flow.yaml", namespace=namespace)
    assert not reading.problems, [str(problem) for problem in reading.problems]
    return [*reading.specs, *reading.values]


@asynccontextmanager
async def store_of(*texts: str) -> AsyncIterator[MemoryStore]:
    """Provide an open memory store, to which each text was applied as one change set."""
    store = MemoryStore()
    await store.open()
    for text in texts:
        applied = await do(store, text)
        assert applied.revision
    try:
        yield store
    finally:
        await store.close()


async def plan(store: Store, text: str, **options: object) -> Plan:
    """Return what applying a text would do."""
    return await plan_apply(store, read(text), everything(), **options)  # type: ignore[arg-type]


async def do(store: Store, text: str, note: Note = NO_NOTE, **options: object) -> ApplyResult:
    """Apply a text."""
    return await apply_plan(store, await plan(store, text, **options), note)


def said(planned: Plan | ApplyResult) -> list[tuple[str, str]]:
    """Return what becomes of what."""
    return [(each.action, each.resource.label) for each in planned.differences]


def codes(planned: Plan | ApplyResult) -> list[str]:
    """Return the codes of its Problems."""
    return [problem.code for problem in planned.problems]


async def until(store: ReportStore, fits: Callable[[Report], bool]) -> Report:
    """Return the first Report in a store that fits."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for report in await store.reports():
                if fits(report):
                    return report
            await asyncio.sleep(0.01)


async def looked(rt: Runtime, revision: int) -> None:
    """Wait until a runtime has looked at a revision."""
    await so(lambda: rt.observed >= revision)
