"""stalls: a large change is read, checked and made live; how long requests have to wait meanwhile."""

import http.client
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import namespace
from benchmarks.measure import Measure
from benchmarks.probe import Probed, beside, for_seconds, probe
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import PATIENCE, Heddle, free_port, heddle, module

LONGEST: Final = 20.0
"""Seconds after which no further round of a change begins, on a machine that is busy with other work."""


def listed(scale: Scale) -> bytes:
    """Return 4 MB of YAML in one list, less for a small scale: it is not a Spec, and rejected in the end."""
    items = 200 * scale.symbols
    return b"kind: snippet\nname: x\nlanguage: text\ncode: hi\nzzz: [" + b"1," * items + b"1]\n"


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return a large file, a large folder and a large change set come and go; 4 MB are checked over the API."""
    saved, filed = max(scale.symbols // 5, 100), max(scale.symbols // 2, 100)
    applied, document = scale.symbols, listed(scale)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        store = Path(folder) / "store"
        store.mkdir()
        namespace.write(store, namespace.PER_FILE)
        floor = stack.enter_context(module("echo"))
        api = free_port()
        subject = stack.enter_context(heddle(store, "--system", f"127.0.0.1:{api}"))
        works = {
            f"{saved:,} symbols are saved": _saving(subject, store, saved),
            f"{filed:,} files come": _filing(subject, store, filed),
            f"{applied:,} specs are applied": _applying(subject, api, store, applied),
            "4 MB are checked": lambda: _check(api, document),
        }

        def calm() -> Probed:
            return probe(floor.port, "/leaf", for_seconds(max(scale.seconds, 0.3)))

        def measured(what: str, work: Callable[[], None]) -> Measure:
            say(what)
            return beside(
                what,
                calm,
                lambda: while_done(subject.port, work),
                rounds=min(scale.rounds, 3),
                seconds=LONGEST,
            )

        return [measured(what, work) for what, work in works.items()]


def while_done(port: int, work: Callable[[], None]) -> Probed:
    """Probe a server while something is done; raise what that raises."""
    errors: list[Exception] = []

    def do() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=do)
    thread.start()
    try:
        return probe(port, "/leaf", thread.is_alive)
    finally:
        thread.join()
        # What ended in the midst has measured nothing.
        if errors:
            raise errors[0]


def _specs(symbols: int, more: str = "") -> list[str]:
    return [
        f"- {{kind: snippet, name: large{number}, language: cel, code: self.count + {number}{more}}}\n"
        for number in range(symbols)
    ]


def _until_live(subject: Heddle, symbols: int) -> None:
    """Wait until so many symbols are live beside those of the file; a generation may hold a part of them."""
    expected = namespace.PER_FILE + symbols
    while True:
        event = subject.until("generation live")[1]
        if event["namespace"] == "default" and event["data"]["symbols"] == expected:
            return


def _saving(subject: Heddle, folder: Path, symbols: int) -> Callable[[], None]:
    """Return what saves a file with so many symbols, and removes it again; each until it is live."""
    path, text = folder / "large.yaml", "".join(_specs(symbols))

    def save() -> None:
        path.write_text(text)
        _until_live(subject, symbols)
        path.unlink()
        _until_live(subject, 0)

    return save


def _filing(subject: Heddle, folder: Path, files: int) -> Callable[[], None]:
    """Return what moves a folder with so many files in, and out again; each until it is live."""
    outside, inside = folder.with_name("made"), folder / "large"
    outside.mkdir()
    for number, spec in enumerate(_specs(files)):
        (outside / f"{number}.yaml").write_text(spec)

    def move() -> None:
        outside.rename(inside)
        _until_live(subject, files)
        inside.rename(outside)
        _until_live(subject, 0)

    return move


def _applying(subject: Heddle, api: int, folder: Path, symbols: int) -> Callable[[], None]:
    """Return what applies so many symbols over the API, and removes them again; each until it is live."""
    document = "".join(_specs(symbols, ", annotations: {heddle/file: large.yaml}")).encode()

    def apply() -> None:
        status, answer = _post(api, "", document)
        if status != 200:
            raise AnswerMismatchError(f"apply answered {status} {answer[:200]!r}")
        _until_live(subject, symbols)
        (folder / "large.yaml").unlink()
        _until_live(subject, 0)

    return apply


def _check(api: int, document: bytes) -> None:
    """Let the API check what is not a Spec, as a dry run."""
    # A request that is rejected before it was sent to its end is closed.
    with suppress(ConnectionError, http.client.HTTPException):
        _post(api, "?dryRun=true", document)


def _post(api: int, query: str, document: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", api, timeout=PATIENCE)
    with closing(connection):
        connection.request(
            "POST",
            f"/v1/namespaces/default/apply{query}",
            document,
            {"Content-Type": "application/yaml"},
        )
        response = connection.getresponse()
        return response.status, response.read()


ROW = Row(
    title="a large change is read, checked and made live under requests",
    floor="a bare asyncio server that is asked in the same way on the same core",
    run=run,
)
