"""The examples of workflows: each is checked, tried by its own tests, and does what its README says."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.support import heddle
from tests.docs.fences import fences
from tests.examples.folders import settled, started
from tests.examples.promises import EXAMPLES

TASKS = ("etl", "nightly", "report", "scraper")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what commands note away from the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))


def run(*words: str) -> Result:
    """Run a workflow that has to complete."""
    result = heddle("run", *words)
    assert result.exit_code == 0, result.output
    return result


def test_every_example_of_tasks_is_tried_here() -> None:
    found = sorted(page.parent.name for page in (EXAMPLES / "tasks").glob("*/README.md"))
    assert found == list(TASKS)
    listed = (EXAMPLES / "README.md").read_text()
    assert [name for name in TASKS if f"(tasks/{name}/README.md)" not in listed] == []


@pytest.mark.parametrize("example", TASKS)
def test_an_example_of_tasks_has_no_problems(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(f"tasks/{example}", tmp_path, monkeypatch)
    result = heddle("check", ".")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("no problems: ")


@pytest.mark.parametrize("example", ["etl", "nightly", "report"])
def test_an_example_of_tasks_passes_its_own_tests(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled(f"tasks/{example}", tmp_path, monkeypatch)
    result = heddle("test", "-e", f"REPORTS={tmp_path / 'reports'}")
    assert result.exit_code == 0, result.output
    count = (here / "tests.yaml").read_text().count("kind: test")
    assert result.output.splitlines()[-1].startswith(f"{count} passed in ")


def test_the_report_answers_what_its_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled("tasks/report", tmp_path, monkeypatch)
    answer = json.loads(run(".", "day=2026-11-30", "pause=0").stdout)
    assert answer in _json_of("report")
    shown = json.loads(heddle("runs", "show", "--last", "--json").stdout)
    assert shown["critical_path"]["tasks"][-1] == "text"
    logs = json.loads(heddle("runs", "logs", "--last", "--json").stdout)
    assert sum("asking Berlin" in each["text"] for each in logs) == 1


def test_the_etl_loads_good_rows_and_names_bad_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("tasks/etl", tmp_path, monkeypatch)
    answer = json.loads(run().stdout)
    assert answer in _json_of("etl")
    again = json.loads(run().stdout)
    assert again == answer
    assert (here / "totals.csv").read_text().splitlines() == [
        "city,count,euros",
        "Berlin,3,13.5",
        "Hamburg,5,24.0",
        "Leipzig,2,14.5",
    ]
    # The database of the orders holds the runs, too.
    [first, second] = json.loads(heddle("runs", "list", "--json").stdout)
    assert {first["store"], second["store"]} == {"shop.sqlite"}
    assert not (here / ".heddle" / "runs.sqlite").exists()


class Site:
    """A site whose pages fail at first. `most` is how many requests there were at the same time."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def answer(self, path: str) -> tuple[int, str]:
        """Return the status and the page; every page fails twice, and /dead always."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.requests[path] += 1
            count = self.requests[path]
        try:
            if path == "/dead" or count <= 2:
                return 500, "not now"
            return 200, f"<html><body>{'word ' * len(path)}</body></html>"
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve a site on a free port; the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, page = site.answer(self.path)
            body = page.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base has it
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_scraper_tries_again_and_leaves_out_what_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("tasks/scraper", tmp_path, monkeypatch)
    flow = here / "scraper.yaml"
    flow.write_text(flow.read_text().replace("delay: 100ms", "delay: 1ms"))
    paths = ["/a", "/bb", "/ccc", "/dddd", "/dead", "/eeeee"]
    site = Site()
    with served(site) as address:
        urls = json.dumps([address + path for path in paths])
        pages = json.loads(run(".", f"urls={urls}").stdout)["pages"]
    assert [page["words"] for page in pages] == [6, 5, 4, 3, 2]
    assert site.requests == {path: 4 if path == "/dead" else 3 for path in paths}
    assert site.most <= 3


@pytest.mark.anyio
async def test_a_night_has_one_report_however_often_it_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settled("tasks/nightly", tmp_path, monkeypatch)
    tick = {"at": "2026-11-30T03:30:00+01:00", "count": 1, "missed": 0}
    answers = []
    for _ in range(2):  # The second one is another night watch: the runtime was restarted.
        monkeypatch.syspath_prepend(str(here))
        async with started() as rt:
            assert not rt.status().problems
            answers.append(await rt.send("day-before", tick))
    assert answers[0] == answers[1] == {"day": "2026-11-29", "orders": answers[0]["orders"]}
    assert (here / "reports" / "2026-11-29").exists()


def _json_of(example: str) -> list[Any]:
    """Return what the JSON blocks of a README say."""
    page = EXAMPLES / "tasks" / example / "README.md"
    return [json.loads(one.code) for one in fences(page) if one.language == "json"]
