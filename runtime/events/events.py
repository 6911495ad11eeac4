"""Events tell what happened in a runtime, and why: fixed phrases with named values."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from heddle.runtime.events.expected import cause_of, is_expected
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.trace import written
from heddle.schemas.problem import Problem
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.model.mask import MASK
from heddle.specs.secrets import Redactor
from heddle.specs.secrets.mask import SHORTEST, hidden, in_order

LEVELS = ("debug", "info", "warning", "error")

_log = logging.getLogger("heddle")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `time` is in seconds since 1970; `reason` says why, if there is a why."""

    time: float
    level: str
    event: str
    namespace: str
    symbol: str = ""
    generation: int | None = None
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    data: dict[str, Any] = {}
    detail: str = ""


LONGEST = 16 * 1024
"""How many characters of a text an event keeps, and how many items of a list."""


Listener: TypeAlias = Callable[[Event], None]


class Events:
    """The events of a runtime; every listener gets them at once, in order.

    Secrets that were bound into Specs are masked in everything that is told, and so are the values of
    keys that the `redactor` hides. The last `keep` events can be looked at; texts longer than LONGEST are
    cut, so that what is kept stays small. With `tracebacks`, expected failures have theirs, too.
    """

    def __init__(
        self, namespace: str, keep: int = 1000, *, redactor: Redactor | None = None
    ) -> None:
        self.namespace = namespace
        self.redactor = (redactor or Redactor()).also(_without_secrets)
        self.recent: deque[Event] = deque(maxlen=keep)
        self.tracebacks = False
        self._listeners: list[Listener] = []
        self._threaded: list[Listener] = []
        self._requested: dict[str, int] = {}
        self._secrets: dict[str, int] = {}
        self._longest: tuple[str, ...] | None = None

    def listen(self, listener: Listener, *, threads: bool = False) -> Callable[[], None]:
        """Be told every event from now on; returns what ends it.

        A listener must not wait; what it raises is logged and holds nothing up. It may be called
        again with the same event when it failed as no file descriptor was free. With `threads`, it
        may be called in another thread: events that say why the loop stands still reach it at once.
        """
        self._listeners.append(listener)
        if threads:
            self._threaded.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def wants(self, name: str) -> bool:
        """Return True if anybody listens to events of this name.

        What happens often, such as a change of the status of a task, is emitted only then.
        """
        return name in self._requested

    def want(self, *names: str) -> Callable[[], None]:
        """Ask for events of these names, which are emitted only on request; returns what ends it."""
        for name in names:
            self._requested[name] = self._requested.get(name, 0) + 1
        left = list(names)

        def end() -> None:
            while left:
                name = left.pop()
                self._requested[name] -= 1
                if not self._requested[name]:
                    del self._requested[name]

        return end

    async def wait(self, *names: str, since: int | None = None) -> Event:
        """Return the next event of one of these names (any, if none is given).

        With `since`, a generation's number, one that was told already counts, if it is of a later
        generation.
        """
        if since is not None:
            for event_ in self.recent:
                later = event_.generation is not None and event_.generation > since
                if later and (not names or event_.event in names):
                    return event_
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

        def look(event: Event) -> None:
            if (not names or event.event in names) and not future.done():
                future.set_result(event)

        end, satisfied = self.listen(look), self.want(*names)
        try:
            return await future
        finally:
            end()
            satisfied()

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these texts in everything that is told from now on."""
        for secret in secrets:
            if len(secret) >= SHORTEST:
                self._secrets[secret] = self._secrets.get(secret, 0) + 1
                self._longest = None

    def unhide(self, secrets: Iterable[str]) -> None:
        """Mask these texts no longer on account of one place."""
        for secret in secrets:
            left = self._secrets.get(secret, 0) - 1
            if left > 0:
                self._secrets[secret] = left
            else:
                self._secrets.pop(secret, None)
                self._longest = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that is masked, the longest first: one may be a part of another."""
        if self._longest is None:
            self._longest = in_order(self._secrets)
        return self._longest

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked."""
        return mask(value, self.secrets)

    def shown(self, value: Any) -> Any:
        """Return the same plain data as people may see it: secret keys redacted, known secrets masked."""
        return mask(self.redactor.redacted(value), self.secrets)

    def masked(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """Return the same Problems with every known secret masked."""
        return masked(problems, self.secrets)

    def emit(
        self,
        event: str,
        *,
        level: str = "info",
        symbol: str = "",
        generation: int | None = None,
        reason: str = "",
        problems: tuple[Problem, ...] = (),
        detail: str = "",
        **data: Any,
    ) -> Event:
        """Tell one event to everyone who listens."""
        event_ = self._event(
            event,
            level=level,
            symbol=symbol,
            generation=generation,
            reason=reason,
            problems=problems,
            detail=detail,
            data=data,
        )
        self._hand_out(event_, self._listeners)
        return event_

    def emit_apart(
        self,
        loop: asyncio.AbstractEventLoop,
        event: str,
        *,
        level: str = "info",
        symbol: str = "",
        reason: str = "",
        detail: str = "",
        **data: Any,
    ) -> None:
        """Emit an event from another thread: at once to listeners with `threads`, later to all others."""
        event_ = self._event(
            event, level=level, symbol=symbol, reason=reason, detail=detail, data=data
        )
        now = [listener for listener in tuple(self._listeners) if listener in self._threaded]
        for listener in now:
            _hand(listener, event_)
        later = [listener for listener in tuple(self._listeners) if listener not in now]
        loop.call_soon_threadsafe(self._hand_out, event_, later)

    def _event(
        self,
        event: str,
        *,
        level: str,
        symbol: str = "",
        generation: int | None = None,
        reason: str = "",
        problems: tuple[Problem, ...] = (),
        detail: str = "",
        data: dict[str, Any],
    ) -> Event:
        return Event(
            time=time.time(),
            level=level,
            event=event,
            namespace=self.namespace,
            symbol=symbol,
            generation=generation,
            reason=self.shown(cut(reason)) if reason else "",
            problems=self.masked(problems),
            data=mask(self.redactor.values(cut(data)), self.secrets) if data else {},
            detail=self.shown(cut(detail)) if detail else "",
        )

    def _hand_out(self, event_: Event, listeners: Iterable[Listener]) -> None:
        self.recent.append(event_)
        for listener in tuple(listeners):
            _hand(listener, event_)

    def failed(self, event: str, error: Error, *, level: str = "error", **data: Any) -> Event:
        """Emit the event of an Error. Its detail is the traceback of its cause.

        For an expected failure it is the cause on one line, unless `tracebacks` are wanted.
        """
        # An error of code names file, line and field already.
        placed = bool(getattr(error.cause, "where", ""))
        where = f" at {error.symbol}" if error.symbol and not placed else ""
        detail = ""
        if error.cause is not None and any(error.trace.values()):
            brief = not self.tracebacks and is_expected(error)
            detail = cause_of(error) if brief else written(error.cause, error.trace)
        return self.emit(
            event,
            level=level,
            reason=f"{error.message}{where}",
            detail=detail,
            code=error.code,
            **data,
        )


def _hand(listener: Listener, event_: Event) -> None:
    """Hand an event to a listener; one that fails keeps nobody else from hearing it.

    If it fails because no file descriptor is free it is called once more, with spare ones.
    """
    try:
        SPARE.attempt(lambda: listener(event_))
    except Exception as error:
        if is_passing(error):
            # Expected if resources are short: the trace would help nobody.
            _log.error("a listener failed at the event %r: %s", event_.event, error)
        else:
            _log.exception("a listener failed at the event %r", event_.event)


def _without_secrets(redactor: Redactor, value: Any) -> Any:
    """Return an Error with its message and its data redacted, and without its cause; anything else as it is."""
    if not isinstance(value, Error):
        return value
    return Error(
        redactor.text(value.message),
        code=value.code,
        data=redactor.redacted(value.data),
        errors=tuple(_without_secrets(redactor, error) for error in value.errors),
        symbol=value.symbol,
        port=value.port,
    )


def cut(value: Any) -> Any:
    """Return the same plain data with every text and list cut to LONGEST."""
    try:
        return _cut(value)
    except RecursionError:
        return "(data that is nested too deeply)"


def _cut(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bytes:
        if len(value) <= LONGEST:
            return value
        start: str = value[:LONGEST] if kind is str else value[:LONGEST].decode(errors="replace")
        return f"{start}… ({len(value):,} {'characters' if kind is str else 'bytes'})"
    if kind is dict:
        return {_cut(key): _cut(item) for key, item in islice(value.items(), LONGEST)}
    if kind is list or kind is tuple:
        return kind(_cut(item) for item in islice(value, LONGEST))
    if kind is Error:
        return Error(
            _cut(value.message),
            code=value.code,
            data=_cut(value.data),
            errors=_cut(value.errors),
            symbol=value.symbol,
            port=value.port,
        )
    return value


def mask(value: Any, secrets: Sequence[str]) -> Any:
    """Return a payload with these texts masked; those of numbers too, if such a secret is one.

    An Error comes without its cause, which nobody can mask.
    """
    if not secrets:
        return value
    if isinstance(value, str):
        return hidden(value, secrets)
    if isinstance(value, dict):
        return {mask(key, secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, secrets) for item in value]
    if isinstance(value, tuple | set | frozenset):
        return tuple(mask(item, secrets) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return MASK if str(value) in secrets else value
    if isinstance(value, Error):
        return Error(
            hidden(value.message, secrets),
            code=value.code,
            data=mask(value.data, secrets),
            errors=tuple(mask(error, secrets) for error in value.errors),
            symbol=value.symbol,
            port=value.port,
        )
    if isinstance(value, bytes):
        shown = value.decode(errors="replace")
        covered = hidden(shown, secrets)
        return covered if covered != shown else value
    return value


def masked(problems: tuple[Problem, ...], secrets: Sequence[str]) -> tuple[Problem, ...]:
    """Problems with these texts masked."""
    kept = [secret for secret in secrets if len(secret) >= SHORTEST]
    if not kept:
        return problems
    return tuple(
        msgspec.structs.replace(
            problem,
            found=hidden(problem.found, kept),
            expected=hidden(problem.expected, kept),
            hint=hidden(problem.hint, kept),
            path=hidden(problem.path, kept),
        )
        for problem in problems
    )
