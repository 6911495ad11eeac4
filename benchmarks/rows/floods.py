"""floods: one client sends as much as it can in tiny pieces; how long others have to wait."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import cores, launch
from benchmarks.measure import Measure
from benchmarks.paths import ROOT
from benchmarks.probe import Probed, beside, for_seconds, probe
from benchmarks.row import Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Server, ended, heddle, module
from benchmarks.servers.flood import FLOODS

FLOW = """\
- kind: listener
  name: listener
  port: '{{ .PORT }}'
  env:
    PORT: {data: '{{ .PORT }}'}
  ports:
    out: {name: router}
- kind: router
  name: router
  routes:
    - {method: GET, path: /, port: 'out[0]'}
    - {method: POST, path: /, port: 'out[0]'}
    - {method: GET, path: /ws, port: 'out[1]'}
    - {method: POST, path: /json, port: 'out[2]'}
  ports:
    out[0]: {name: ping}
    out[1]: {name: ws}
    out[2]: {name: read}
- {kind: snippet, name: ping, language: text, code: pong}
- {kind: snippet, name: read, language: cel, code: size(body)}
- kind: websocket
  name: ws
  ports:
    message: {name: echo}
- {kind: snippet, name: echo, language: cel, code: data}
"""


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return each flood in turn, at the bare server and at Heddle."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "flow.yaml"
        file.write_text(FLOW)
        floor = stack.enter_context(module("echo"))
        subject = stack.enter_context(heddle(file))
        return [_measured(name, floor, subject, scale, say) for name in FLOODS]


def _measured(name: str, floor: Server, subject: Server, scale: Scale, say: Say) -> Measure:
    say(f"a flood of {name}")
    return beside(
        f"a flood of {name}",
        lambda: _flooded(floor, name, scale),
        lambda: _flooded(subject, name, scale),
        rounds=min(scale.rounds, 3),
    )


def _flooded(server: Server, name: str, scale: Scale) -> Probed:
    with _flood(server.port, name):
        return probe(server.port, "/", for_seconds(max(scale.seconds * 2, 0.3)))


@contextmanager
def _flood(port: int, name: str) -> Iterator[None]:
    """Provide a program that floods, on the core of the load."""
    argv = [sys.executable, "-m", "benchmarks.servers.flood", str(port), name]
    process = launch(argv, cores()[1], cwd=ROOT)
    assert process.stdout is not None
    with process.stdout:
        try:
            yield
        finally:
            ended(process)


ROW = Row(
    title="one client floods with tiny pieces: chunks, requests, messages, pings, fragments, JSON",
    floor="a bare asyncio server under the same flood on the same core",
    run=run,
)
