"""stalls: a large change is read, checked and made live; how long requests have to wait meanwhile."""

import http.client
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import namespace
from benchmarks.measure import Measure
from benchmarks.probe import Probed, beside, for_seconds, probe
from benchmarks.row import Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, free_port, heddle, module


def listed(scale: Scale) -> bytes:
    """4 MB of YAML in one list, less for a small scale: no Spec, and refused in the end."""
    items = 200 * scale.symbols
    return b"kind: snippet\nname: x\nlanguage: text\ncode: hi\nzzz: [" + b"1," * items + b"1]\n"


def run(scale: Scale, say: Say) -> list[Measure]:
    """A large file comes and goes; 4 MB are checked over the API; beside a server that does nothing."""
    rounds = min(scale.rounds, 3)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        path = namespace.write(Path(folder), namespace.PER_FILE)
        floor = stack.enter_context(module("echo"))
        api, document = free_port(), listed(scale)
        subject = stack.enter_context(heddle(path.parent, "--system", f"127.0.0.1:{api}"))

        def calm() -> Probed:
            return probe(floor.port, "/leaf", for_seconds(max(scale.seconds, 0.3)))

        say("a large file is saved")
        many = max(min(scale.symbols // 5, 2_000), 100)
        saved = beside(
            f"{many:,} symbols are saved",
            calm,
            lambda: _while(subject, lambda: _saved(subject, path.parent, many)),
            rounds=rounds,
        )
        say("4 MB are checked over the API")
        checked = beside(
            "4 MB are checked",
            calm,
            lambda: _while(subject, lambda: _checked(api, document)),
            rounds=rounds,
        )
        return [saved, checked]


def _while(subject: Heddle, work: Callable[[], None]) -> Probed:
    """Probe while something is done."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        return probe(subject.port, "/leaf", thread.is_alive)
    finally:
        thread.join()


def _saved(subject: Heddle, folder: Path, symbols: int) -> None:
    """Save a file with so many symbols, and take it away again; each until it is live."""
    beside_it = folder / "large.yaml"
    parts = [
        f"- {{kind: snippet, name: large{number}, language: cel, code: self.count + {number}}}\n"
        for number in range(symbols)
    ]
    beside_it.write_text("".join(parts))
    subject.until("generation live")
    beside_it.unlink()
    subject.until("generation live")


def _checked(api: int, document: bytes) -> None:
    """Let the API check what is no Spec, as a dry run."""
    connection = http.client.HTTPConnection("127.0.0.1", api, timeout=120.0)
    try:
        connection.request(
            "POST",
            "/v1/namespaces/default/apply?dryRun=true",
            document,
            {"Content-Type": "application/yaml"},
        )
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        # One that is refused before it was sent to its end is closed.
        pass
    finally:
        connection.close()


ROW = Row(
    title="a large change is read, checked and made live under requests",
    floor="a bare asyncio server that is asked in the same way on the same core",
    run=run,
)
