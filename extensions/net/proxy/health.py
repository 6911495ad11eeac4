"""Health: backends are asked whether they are well, each as often as it is said."""

import asyncio
from collections.abc import Callable, Sequence
from random import random
from typing import Annotated

from heddle.extensions.extension import Fields, Interval, Tasks, about
from heddle.extensions.net.http_client.pool import ClientPool, failure
from heddle.extensions.net.http_client.target import joined
from heddle.extensions.net.proxy.backend import Backend


class HealthFields(Fields):
    """The health check of backends."""

    path: Annotated[
        str, about("What is asked for with GET; any status below 400 is well.", pattern="^/")
    ] = "/"
    every: Annotated[Interval, about("How often each is asked.")] = Interval(10)
    timeout: Annotated[Interval, about("How long it has to answer.")] = Interval(2)
    falls: Annotated[int, about("How many bad answers in a row take it out.", ge=1)] = 2
    rises: Annotated[int, about("How many good ones bring it back.", ge=1)] = 1


class HealthCheck:
    """Asks until it is stopped; `tell(backend, up, why)` is told of every change."""

    def __init__(
        self,
        fields: HealthFields,
        pool: ClientPool,
        backends: Sequence[Backend],
        emit: Callable[[Backend, bool, str], None],
        tasks: Tasks,
    ) -> None:
        self._fields = fields
        self._pool = pool
        self._backends = backends
        self._report = emit
        self._tasks = tasks
        self._asking: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to ask."""
        self._asking = [self._tasks.start(self._watch(backend)) for backend in self._backends]

    async def stop(self) -> None:
        """Ask no more."""
        # A cancelled task keeps its frames, and they keep what asked: let go of the tasks.
        asking, self._asking = self._asking, []
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _watch(self, backend: Backend) -> None:
        fields = self._fields
        while True:
            why = await self._probe(backend)
            if backend.checked(not why, fields.falls, fields.rises):
                self._report(backend, backend.up, why or "it is well again")
            # Many runtimes that were started together do not ask together.
            await asyncio.sleep(float(fields.every) * (0.9 + 0.2 * random()))

    async def _probe(self, backend: Backend) -> str:
        """Return what is wrong with it; "" if it is well."""
        url = backend.base.origin + joined(backend.base.path, self._fields.path)
        try:
            async with asyncio.timeout(float(self._fields.timeout)):
                response = await self._pool.send("GET", url, [("User-Agent", "heddle")], None)
                status = response.status
                response.release()
        except Exception as error:
            problem = failure(error, f"GET {self._fields.path}")
            return problem.message if problem is not None else repr(error)
        return f"GET {self._fields.path}: answered {status}" if status >= 400 else ""
