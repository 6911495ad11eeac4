"""The node of a `validate`: it checks on the event loop what takes no time, and the rest in a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from heddle.extensions.extension import Action, Handler, Host, Node, Payload
from heddle.extensions.net.validation.checks import (
    APART,
    ON_LOOP,
    RequestChecks,
    ValidateFields,
    checks_of,
    is_light,
)
from heddle.extensions.net.validation.references import SchemaFiles
from heddle.extensions.net.validation.schema_watch import follow_schemas
from heddle.runtime.flow.elsewhere import ElsewhereError, is_on_loop, outcome
from heddle.schemas.types.effort import EffortError

_WORKERS: Final = 2


class ValidateNode(Node):
    """Sends on what fits, with defaults and typed values."""

    def __init__(self, fields: ValidateFields, checks: RequestChecks) -> None:
        self._fields = fields
        self._checks = checks
        self._most = checks.most
        self._stale = ""
        self._mask: Callable[[Any], Any] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._apart = self._check_apart
        self._action = Action(self._check)

    async def open(self, host: Host) -> None:
        """Follow the files of the schemas, if there are any."""
        self._mask = host.mask
        self._checks.hide(host.mask)
        files = self._checks.files
        if files.paths:
            host.tasks.start(follow_schemas(host, files, self._read, self._take, self._reject))

    async def close(self) -> None:
        """Let the threads go, once they are done."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    def _read(self, files: SchemaFiles) -> RequestChecks:
        return checks_of(self._fields, files)

    def _take(self, checks: RequestChecks) -> None:
        if self._mask is not None:
            checks.hide(self._mask)
        self._checks, self._most = checks, checks.most

    def _reject(self, why: str) -> None:
        self._stale = why if self._mask is None else str(self._mask(why))

    def degraded(self) -> str:
        """Return why it checks by older schemas than its files hold; "" if it does not."""
        return f"its schema is rejected, the one before stays: {self._stale}" if self._stale else ""

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _check(self, payload: Payload) -> Payload:
        """Return a payload as it goes on; NodeError with its mistakes.

        What would hold the event loop goes on in a thread: what somebody sends may keep jsonschema
        busy for seconds.
        """
        done = outcome(self._apart, payload)
        if done is not None:
            if not done.succeeded:
                raise done.value
            return done.value
        checks = self._checks
        # Decoded here, as that is charged to the connection.
        values = checks.values(payload)
        if is_light(values, self._most):
            try:
                return checks.check(payload, values, ON_LOOP)
            except EffortError:
                pass
        if not is_on_loop():
            return checks.check(payload, values, APART)
        raise ElsewhereError(self._apart, payload, self._check_apart)

    async def _check_apart(self, payload: Payload) -> Payload:
        checks = self._checks
        values = checks.values(payload)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_WORKERS, "heddle-validate")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, checks.check, payload, values, APART)
