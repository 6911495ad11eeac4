"""The progress of a run: a line per running task and a bar for the rest on a terminal, plain lines elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO
from uuid import UUID

from heddle.cli.runs.places import near, short
from heddle.cli.views.run_texts import seconds_text
from heddle.extensions.tasks.status import Transition

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN: Final = 8
"""Running tasks that have a line of their own on a terminal."""

_ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})
_STOPPED = frozenset({"retrying", "lost", "interrupted"})


class QuietProgress:
    """Shows nothing: for programs that read the answer."""

    def begin(self, run: UUID, address: str, tasks: tuple[str, ...], done: frozenset[str]) -> None:
        """Show nothing."""

    def take(self, transition: Transition) -> None:
        """Show nothing."""

    def wait(self, owner: str, seconds: float) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


class PlainProgress:
    """Prints a line when a task begins, and another when it ends; items only if they fail."""

    def __init__(self, stream: TextIO | None = None) -> None:
        # Taken before a task runs: what tasks print goes to their attempts.
        self._stream = sys.stderr if stream is None else stream
        self._began: dict[str, float] = {}
        self._waiting = ""

    def begin(self, run: UUID, address: str, tasks: tuple[str, ...], done: frozenset[str]) -> None:
        """Print the id of the run, where it is recorded, and how much is done already."""
        known = f", {len(done)} of {len(tasks)} tasks are settled already" if done else ""
        self._print(f"run {short(run)}, recorded in {near(address)}{known}")

    def take(self, transition: Transition) -> None:
        """Print one transition of a task."""
        task, event = transition.task, transition.event
        if not task or task == "*":
            return
        if event == "running":
            self._began[task] = transition.at
            if is_inner(task):
                self._begin_outer(outer(task), transition)
                return
        if is_inner(task):
            began = self._began.pop(task, None)
            if event in ("failed", "retrying"):
                self._print(line_of(transition, began))
            return
        self._print(line_of(transition, self._began.get(task)))

    def _begin_outer(self, task: str, inner: Transition) -> None:
        """Print once that a task begins whose attempts are those inside of it."""
        if task not in self._began:
            self._began[task] = inner.at
            self._print(f"{'running':<9}  {task}")

    def wait(self, owner: str, seconds: float) -> None:
        """Print once who has the run."""
        if owner != self._waiting:
            self._waiting = owner
            self._print(waiting_line(owner, seconds))

    def end(self) -> None:
        """Print nothing more."""

    def _print(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more; the run goes on.
            self._stream = _Nowhere()


class LiveProgress:
    """Draws the running tasks and a bar on a terminal; what has ended stays above them as lines."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._running: dict[str, float] = {}
        self._outer: dict[str, float] = {}
        self._items: Counter[str] = Counter()
        self._tasks: frozenset[str] = frozenset()
        self._done: set[str] = set()
        self._wait_line = ""

        class VisibleConsole(Console):
            """A console that leaves the cursor of the terminal alone: a killed program cannot show it again."""

            def show_cursor(self, show: bool = True) -> bool:
                """Change nothing."""
                return False

        self._console = VisibleConsole(
            file=sys.stderr if stream is None else stream, highlight=False
        )
        # The streams stay as they are: what tasks print goes to their attempts.
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def begin(self, run: UUID, address: str, tasks: tuple[str, ...], done: frozenset[str]) -> None:
        """Print the id of the run, and begin to draw."""
        self._tasks, self._done, self._wait_line = frozenset(tasks), set(done), ""
        self._print(f"run [bold]{short(run)}[/], recorded in {_safe(near(address))}")
        self._live.start()

    def take(self, transition: Transition) -> None:
        """Take one transition: the next drawing shows it."""
        task, event = transition.task, transition.event
        if not task or task == "*":
            return
        if event == "running":
            self._running[task] = transition.at
            if is_inner(task):
                self._outer.setdefault(outer(task), transition.at)
            return
        if event in _ENDED or event in _STOPPED:
            began = self._running.pop(task, self._outer.get(task))
            if is_inner(task):
                self._items[outer(task)] += event in _ENDED
            elif event in _ENDED:
                self._done.add(task)
            if not is_inner(task) or event in ("failed", "retrying"):
                self._print(_painted(event, _safe(line_of(transition, began))))

    def wait(self, owner: str, seconds: float) -> None:
        """Draw who has the run, and for how long at least."""
        self._wait_line = waiting_line(owner, seconds)
        if not self._live.is_started:
            self._live.start()

    def end(self) -> None:
        """Draw nothing more; what is called twice changes nothing."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def _print(self, text: str) -> None:
        # A terminal that is gone must not end the run.
        with suppress(OSError, ValueError):
            self._console.print(text, soft_wrap=True)

    def _draw(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        if self._wait_line:
            return Text(self._wait_line)
        now = time.time()
        lines: list[Any] = []
        # A copy: the scheduler goes on in another thread than that of the drawing.
        for task, began in _first(list(self._running.items())):
            lines.append(Text(f"  {task}  {seconds_text(now - began)}", style="cyan"))
        more = len(self._running) - len(lines)
        if more > 0:
            lines.append(Text(f"  and {more} more"))
        return Group(*lines, self._bar())

    def _bar(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        total, done = max(len(self._tasks), 1), len(self._done & self._tasks)
        items = sum(self._items.values())
        row = Table.grid(padding=(0, 1))
        note = f"{done} of {total} tasks" + (f", {items} items" if items else "")
        row.add_row(ProgressBar(total=total, completed=done, width=40), note)
        return row


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def make_progress(*, quiet: bool) -> "QuietProgress | PlainProgress | LiveProgress":
    """Return what shows a run on standard error: drawn on a terminal, as lines elsewhere."""
    if quiet:
        return QuietProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def line_of(transition: Transition, began: float | None) -> str:
    """Return a transition on one line: `completed  load  0.51 s`."""
    parts = [f"{transition.event:<9}", transition.task]
    if began is not None and transition.event != "running":
        parts.append(seconds_text(transition.at - began))
    if transition.number > 1:
        parts.append(f"attempt {transition.number}")
    detail = transition.detail
    error = detail.get("error")
    message = detail.get("message") or (error.get("message") if isinstance(error, dict) else "")
    if transition.event in ("failed", "retrying") and message:
        parts.append(str(message).partition("\n")[0])
    if transition.event == "skipped" and detail.get("reason"):
        parts.append(str(detail["reason"]))
    return "  ".join(parts).rstrip()


def waiting_line(owner: str, seconds: float) -> str:
    """Return who has a run, and for how long at least."""
    return f"the worker {owner[-12:]} has the run for at least {seconds:.0f} s (--take takes it from there)"


def is_inner(task: str) -> bool:
    """Return whether a task path is that of an item, or of a task inside another."""
    return "#" in task or "/" in task


def outer(task: str) -> str:
    """Return the task of the workflow that a task path is in."""
    return task.partition("/")[0].partition("#")[0]


def _first(running: "list[tuple[str, float]]") -> "Iterable[tuple[str, float]]":
    return running if len(running) <= SHOWN else running[: SHOWN - 1]


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape("".join(char if char.isprintable() else " " for char in text))


def _painted(event: str, line: str) -> str:
    color = {"completed": "green", "failed": "red", "retrying": "yellow"}.get(event, "dim")
    return f"[{color}]{line[: len(event)]}[/]{line[len(event) :]}"
