"""soak: a flow is changed again and again; what stays in memory of what was replaced."""

import asyncio
import gc
import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import namespace
from benchmarks.machine import resident
from benchmarks.measure import Measure, at_most
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import fetched, heddle

WARM: Final = 200
"""Reloads before memory is looked at: caches fill, and the allocator takes what it needs."""

GROWTH: Final = 1.0
"""MiB that a thousand reloads may leave behind."""

LIVE: Final = 3
"""Generations that may be alive at rest."""

LEFT_OUT: Final = {
    "listener": "there is one, in front of the leaf",
    "manage": "it serves the namespace system only",
    "follow": "it serves the namespace system only",
    "websocket-client": "it would try to connect all the time",
    "isolated": "its programs are processes of their own",
}
"""Kinds that are not in the flow that is changed, and why."""


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return every kind of node in a small namespace, a leaf in a large one, and what is alive at rest."""
    measures = [_alive(scale, say)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "flow.yaml"
        file.write_text(_every_kind(0))
        measures.append(_soaked("every kind", file, lambda _, turn: _every_kind(turn), scale, say))
    with TemporaryDirectory() as folder:
        file = namespace.write(Path(folder), scale.symbols)
        what = f"{scale.symbols:,} symbols"
        measures.append(_soaked(what, file, namespace.edited, scale, say))
    return measures


def _soaked(
    what: str, file: Path, text: Callable[[Path, int], str], scale: Scale, say: Say
) -> Measure:
    """Save so many changes, each once the one before it is live and was asked for."""
    warm = min(WARM, scale.reloads)
    with heddle(file.parent) as server:
        before = 0
        for turn in range(1, warm + scale.reloads + 1):
            if turn % 50 == 1:
                say(f"{what}: reload {turn} of {warm + scale.reloads}")
            beside = file.with_name(".saved")
            beside.write_text(text(file, turn))
            beside.replace(file)
            server.until("generation live")
            found = fetched(server.port, "/leaf")
            if found != (200, f"leaf {turn}"):
                raise AnswerMismatchError(f"reload {turn} answered {found!r}")
            if turn == warm:
                before = resident(server.process.pid)
        after = resident(server.process.pid)
    return Measure(
        name=f"1,000 reloads keep, {what}",
        value=max(after - before, 0) / scale.reloads * 1000 / 2**20,
        unit="MiB",
        reach=at_most(GROWTH) if scale.reloads > WARM else None,
        facts={"RSS in MiB": [round(size / 2**20, 1) for size in (before, after)]},
    )


def _every_kind(turn: int) -> str:
    """Return a flow with a node of each kind, each of which is made anew by another turn."""
    from heddle.runtime.assembly.extension import registry

    ports = count(1)
    parts = []
    for name, kind in sorted(registry().scheme.kinds.items()):
        if name in LEFT_OUT:
            continue
        example = re.sub(
            r"\b(http|ws)s?://[^/'\s,}]+",
            lambda found: f"{found[1]}://127.0.0.1:{next(ports)}",
            kind.schema.example,
        )
        for spec in _specs_of(example):
            if spec["kind"] in LEFT_OUT:
                continue
            own = f"{name}-{spec['name']}" if "name" in spec else f"{name}-unnamed"
            parts.append({**_renamed(spec, name), "name": own, **_turned(spec, turn)})
    lines = "".join(f"- {json.dumps(part)}\n" for part in parts)
    front = namespace.FRONT.replace("  env:\n", f"  env:\n    TURN: {{data: {turn}}}\n", 1)
    return front + namespace.leaf(turn) + lines


def _specs_of(example: str) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML

    found: list[dict[str, Any]] = YAML(typ="safe").load(example)
    return found


def _turned(spec: dict[str, Any], turn: int) -> dict[str, Any]:
    """Return what makes a node anew: another binding."""
    return {"env": {**spec.get("env", {}), "TURN": {"data": turn}}}


def _renamed(spec: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a Spec of an example whose links lead to the others of that example."""
    ports = {
        port: [
            f"{kind}-{link}"
            if isinstance(link, str)
            else {**link, "name": f"{kind}-{link['name']}"}
            for link in (links if isinstance(links, list) else [links])
        ]
        for port, links in spec.get("ports", {}).items()
    }
    uses = {"uses": f"{kind}-{spec['uses']}"} if isinstance(spec.get("uses"), str) else {}
    return {**spec, **uses, **({"ports": ports} if ports else {})}


def _alive(scale: Scale, say: Say) -> Measure:
    """Return how many generations are alive after many reloads, at rest."""
    say("generations at rest")
    return Measure(
        name="generations alive at rest",
        value=asyncio.run(_reloaded(max(scale.reloads // 10, 5))),
        unit="",
        reach=at_most(LIVE),
    )


async def _reloaded(times: int) -> int:
    from heddle.runtime.flow.generation import Generation
    from heddle.runtime.runtime import Runtime
    from heddle.specs.model.store import Put
    from heddle.specs.stores.memory import MemoryStore
    from heddle.specs.yaml.document import read_text

    def specs(turn: int) -> Any:
        return read_text(namespace.leaf(turn), file="leaf.yaml").specs

    before = _count(Generation)
    store = MemoryStore(specs(0))
    async with Runtime(store=store, drain=0.1) as rt:
        for turn in range(1, times + 1):
            live = asyncio.ensure_future(rt.events.wait("generation live"))
            await asyncio.sleep(0)
            await store.apply([Put(resource=one) for one in specs(turn)])
            await live
        await asyncio.sleep(0.2)
        return _count(Generation) - before


def _count(kind: type) -> int:
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


ROW = Row(
    title="a flow is changed and saved again and again, and asked each time",
    floor="memory stays as it is: there is nothing to compare with",
    run=run,
)
