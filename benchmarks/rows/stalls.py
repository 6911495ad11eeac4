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
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, free_port, heddle, module


def listed(scale: Scale) -> bytes:
    """Return 4 MB of YAML in one list, less for a small scale: it is not a Spec, and rejected in the end."""
    items = 200 * scale.symbols
    return b"kind: snippet\nname: x\nlanguage: text\ncode: hi\nzzz: [" + b"1," * items + b"1]\n"


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return a large file, a large folder and a large change set come and go; 4 MB are checked over the API."""
    rounds = min(scale.rounds, 3)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        store = Path(folder) / "store"
        store.mkdir()
        path = namespace.write(store, namespace.PER_FILE)
        floor = stack.enter_context(module("echo"))
        api, document = free_port(), listed(scale)
        subject = stack.enter_context(heddle(path.parent, "--system", f"127.0.0.1:{api}"))

        def calm() -> Probed:
            return probe(floor.port, "/leaf", for_seconds(max(scale.seconds, 0.3)))

        def measured(what: str, work: Callable[[], None]) -> Measure:
            say(what)
            return beside(what, calm, lambda: _while(subject, work), rounds=rounds)

        saved, filed = max(scale.symbols // 5, 100), max(scale.symbols // 2, 100)
        return [
            measured(f"{saved:,} symbols are saved", lambda: _saved(subject, path.parent, saved)),
            measured(f"{filed:,} files come", lambda: _filed(subject, path.parent, filed)),
            measured(
                f"{scale.symbols:,} specs are applied",
                lambda: _applied(subject, api, path.parent, scale.symbols),
            ),
            measured("4 MB are checked", lambda: _checked(api, document)),
        ]


def _while(subject: Heddle, work: Callable[[], None]) -> Probed:
    """Probe while something is done."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        return probe(subject.port, "/leaf", thread.is_alive)
    finally:
        thread.join()


def _specs(symbols: int, more: str = "") -> list[str]:
    return [
        f"- {{kind: snippet, name: large{number}, language: cel, code: self.count + {number}{more}}}\n"
        for number in range(symbols)
    ]


def _saved(subject: Heddle, folder: Path, symbols: int) -> None:
    """Save a file with so many symbols, and take it away again; each until it is live."""
    beside_it = folder / "large.yaml"
    beside_it.write_text("".join(_specs(symbols)))
    subject.until("generation live")
    beside_it.unlink()
    subject.until("generation live")


def _filed(subject: Heddle, folder: Path, files: int) -> None:
    """Move a folder with so many files to where they are read, and away again; each until it is live."""
    made, there = folder.with_name("made"), folder / "large"
    made.mkdir(exist_ok=True)
    for number, spec in enumerate(_specs(files)):
        (made / f"{number}.yaml").write_text(spec)
    made.rename(there)
    subject.until("generation live")
    there.rename(made)
    subject.until("generation live")


def _applied(subject: Heddle, api: int, folder: Path, symbols: int) -> None:
    """Apply a change set with so many symbols over the API, and take them away again; each until it is live."""
    connection = http.client.HTTPConnection("127.0.0.1", api, timeout=120.0)
    specs = _specs(symbols, ", annotations: {heddle/file: large.yaml}")
    connection.request(
        "POST",
        "/v1/namespaces/default/apply",
        "".join(specs).encode(),
        {"Content-Type": "application/yaml"},
    )
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise AnswerMismatchError(f"apply answered {response.status} {answer[:200]!r}")
    subject.until("generation live")
    (folder / "large.yaml").unlink()
    subject.until("generation live")


def _checked(api: int, document: bytes) -> None:
    """Let the API check what is not a Spec, as a dry run."""
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
        # One that is rejected before it was sent to its end is closed.
        pass
    finally:
        connection.close()


ROW = Row(
    title="a large change is read, checked and made live under requests",
    floor="a bare asyncio server that is asked in the same way on the same core",
    run=run,
)
