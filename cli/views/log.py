"""A log tells every event: one line for people, or one JSON object for programs."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import msgspec

from heddle.cli.views.output import colored
from heddle.runtime.events.events import LEVELS, Event

SourceOf: TypeAlias = Callable[[str], str | None]
"""The text of what a Problem calls a file; None if it cannot be had."""

_COLORS = {"debug": "2", "info": "32", "warning": "33", "error": "1;31"}


class LogStream(Protocol):
    """The output of a log."""

    def write(self, text: str, /) -> int:
        """Write a text; how much of it was written."""
        ...

    def flush(self) -> None:
        """Hold nothing back."""
        ...


def make_log(
    form: str,
    level: str,
    *,
    stream: LogStream | None = None,
    source: SourceOf | None = None,
    color: bool | None = None,
) -> "TextLog | JsonLog":
    """Return the log in this form (`auto`: text on a terminal, JSON elsewhere), from this level on.

    `source` gives the text of what is not a file, for the lines of Problems; without `color` it is
    painted if it is a terminal.
    """
    out = sys.stdout if stream is None else stream
    if form_of(form, out) == "json":
        return JsonLog(out, level)
    return TextLog(out, level, color=colored(out) if color is None else color, source=source)


def form_of(form: str, stream: Any) -> str:
    """Return the form of a log on this stream: `auto` is text on a terminal, JSON elsewhere."""
    if form != "auto":
        return form
    return "text" if stream.isatty() else "json"


class _Log:
    """Writes what is important enough, for as long as somebody reads.

    `mask` takes secrets out of what no event holds: lines of files, as they stand there.
    """

    def __init__(self, stream: LogStream, level: str) -> None:
        self.mask: Callable[[str], str] = str
        self._stream: LogStream | None = stream
        self._least = LEVELS.index(level)

    def wants(self, level: str) -> bool:
        """Return whether events of this level are told."""
        return level not in LEVELS or LEVELS.index(level) >= self._least

    def write(self, text: str) -> None:
        """Write at once: whoever reads along, reads it now."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more; flows go on without their log.
            self._stream = None


class JsonLog(_Log):
    """One JSON object a line; what an event does not say is left out."""

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        if self.wants(event.level):
            self.write(_encoded(as_data(event)) + "\n")


class TextLog(_Log):
    """Time, level, phrase, symbol, reason and values on one line; Problems with their lines below."""

    def __init__(
        self,
        stream: LogStream,
        level: str,
        *,
        color: bool = False,
        source: SourceOf | None = None,
    ) -> None:
        super().__init__(stream, level)
        self._color = color
        self._source = source

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        if not self.wants(event.level):
            return
        text = self.line(event) + "\n"
        if event.problems:
            from heddle.cli.views.problem_report import report

            shown = report(event.problems, color=self._color, source=self._text)
            text += f"\n{self.mask(shown)}\n"
        if event.detail and self.wants("debug"):
            text += _indented(event.detail)
        # At once: who fails on the way has written nothing, and may be called again.
        self.write(text)

    def line(self, event: Event) -> str:
        """`09:41:07 info     generation live  changed pong  generation=2 symbols=3`."""
        clock = datetime.fromtimestamp(event.time).astimezone().strftime("%H:%M:%S")
        parts = [
            self._paint(clock, "2"),
            self._paint(f"{event.level:<7}", _COLORS.get(event.level, "0")),
            self._paint(event.event, "1"),
            self._paint(event.symbol, "36"),
            event.reason.replace("\n", "; "),
            self._paint(_values(event), "2"),
        ]
        return "  ".join(part for part in parts if part)

    def print_line(self, subject: str, text: str) -> None:
        """Print a line for people that is not an event: `try: curl http://127.0.0.1:8000/ping`."""
        if self.wants("info"):
            self.write(f"{self._paint(subject + ':', '1')} {text}\n")

    def _text(self, file: str) -> str | None:
        """Return what stands in a file now; what was given as a text, as it was given."""
        from heddle.cli.views.problem_report import read_source

        given = read_source(file)
        return self._source(file) if given is None and self._source is not None else given

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and text else text


def stamp(time: float | None = None) -> str:
    """Return a moment as people and programs read it: `2025-01-31T09:41:07.250Z`."""
    moment = datetime.now(UTC) if time is None else datetime.fromtimestamp(time, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_data(event: Event) -> dict[str, Any]:
    """Return an event as plain data; `time`, `level` and `event` are always there."""
    shown = {
        "namespace": event.namespace,
        "symbol": event.symbol,
        "generation": event.generation,
        "reason": event.reason,
        "data": event.data,
        "problems": _problems(event),
        "detail": event.detail,
    }
    kept = {name: value for name, value in shown.items() if value not in (None, "", {}, [])}
    return {"time": stamp(event.time), "level": event.level, "event": event.event, **kept}


def _problems(event: Event) -> list[dict[str, Any]]:
    if not event.problems:
        return []
    from heddle.cli.views.problem_report import as_data as problem_data

    return [problem_data(problem) for problem in event.problems]


def _encoded(data: dict[str, Any]) -> str:
    return msgspec.json.encode(data, enc_hook=str).decode()


def _values(event: Event) -> str:
    """`generation=2 symbols=3`."""
    values: dict[str, Any] = dict(event.data)
    if event.generation is not None:
        values = {"generation": event.generation, **values}
    return " ".join(f"{name}={_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    """Return a value on one line; text with blanks in it stands in quotes."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value if value and not set(value) & set(' "\n\t') else _encoded_text(value)
    return msgspec.json.encode(value, enc_hook=str).decode()


def _encoded_text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
