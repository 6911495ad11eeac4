"""A ServerRun is one `heddle run --server`: it begins a run behind an API, and follows it to its end."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from heddle.cli.exit_codes import BLOCKED, FAILED, OK, SUSPENDED, CommandError
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus, Transition
from heddle.schemas.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from heddle.cli.runs.session import RunWatcher
    from heddle.cli.settings import Settings
    from heddle.specs.stores.remote.client import ApiClient

LOOK: Final = 0.2
"""Seconds between two looks at a run."""

PATIENCE: Final = 30.0
"""Seconds for which an API that cannot be reached is asked again: its runtime may be starting anew."""

_CODES: Final = {
    RunStatus.COMPLETED: OK,
    RunStatus.BLOCKED: BLOCKED,
    RunStatus.SUSPENDED: SUSPENDED,
}


class ServerRun:
    """A run in the runtime behind an API. `data` is what the API says of it, without transitions."""

    def __init__(self, settings: "Settings", watcher: "RunWatcher") -> None:
        self._settings = settings
        self._watcher = watcher
        self.data: dict[str, Any] = {}

    @property
    def code(self) -> int:
        """The exit code."""
        return _CODES.get(RunStatus(self.data["status"]), FAILED)

    async def follow(
        self, workflow: str | None, inputs: Mapping[str, Any], texts: Mapping[str, str]
    ) -> None:
        """Begin a run, and show it until it is settled, blocked or suspended. Raise HeddleError."""
        import os

        from heddle.specs.stores.remote.client import ApiClient
        from heddle.specs.stores.remote.store import token_of

        client = ApiClient(self._settings.store, token_of(os.environ, self._settings.token_file))
        await client.open()
        try:
            name = workflow or await self._only(client)
            body = {"inputs": dict(inputs), "texts": dict(texts)}
            place = f"{self._space}/workflows/{quote(name, safe='')}/runs"
            self._take(await client.request("POST", place, body=body))
            while not self._is_over():
                await asyncio.sleep(LOOK)
                self._take(await self._read_new(client))
        finally:
            self._watcher.end()
            await client.close()

    @property
    def _space(self) -> str:
        return f"/v1/namespaces/{quote(self._settings.namespace, safe='')}"

    async def _only(self, client: "ApiClient") -> str:
        """Return the name of the only workflow there. Raise SeveralWorkflowsError, or CommandError."""
        from heddle.cli.runs.target import only_name

        answer = await client.request("GET", f"{self._space}/symbols")
        names = [
            each["name"]
            for each in answer["here"]
            if each.get("kind") == "workflow" and each.get("name") and "/" not in each["name"]
        ]
        return only_name(names, f"the runtime behind {client.url}")

    async def _read_new(self, client: "ApiClient") -> Any:
        """Ask for what is new; an API that is gone for a moment is asked again."""
        query = [("after", str(self.data["after"]))]
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await client.request(
                    "GET", f"{self._space}/runs/{self.data['id']}", query=query
                )
            except StoreError as error:
                if isinstance(error, NotFoundError) or asyncio.get_running_loop().time() > until:
                    raise CommandError(
                        f"the run {self.data['id']} goes on there, and cannot be followed: {error}"
                    ) from error
                await asyncio.sleep(LOOK)

    def _take(self, answer: Mapping[str, Any]) -> None:
        """Take what the API says, and show what is new."""
        data = dict(answer)
        transitions = msgspec.convert(data.pop("transitions", []), list[Transition], strict=False)
        names = data.pop("tasks", [])
        if not self.data:
            self._watcher.begin(UUID(data["id"]), self._settings.store, tuple(names), frozenset())
        last = self.data.get("after", 0)
        for transition in transitions:
            last = max(last, transition.seq)
            self._watcher.take(transition)
        self.data = {**data, "after": last}

    def _is_over(self) -> bool:
        status = RunStatus(self.data["status"])
        if status is RunStatus.SUSPENDED:
            # A runtime that was stopped goes on with it as soon as it is there again.
            return self.data.get("reason") != "drained"
        return status in SETTLED_RUN or status is RunStatus.BLOCKED
