"""A system namespace beside a runtime, on a free port, and a client that speaks with it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from heddle.extensions.manage.caller import Role
from heddle.extensions.manage.system import SYSTEM, ApiSettings, system_runtime
from heddle.extensions.manage.tokens import ApiToken, hash_of, new_token, value_of
from heddle.runtime.events.events import Event
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Put, Store
from tests.support import Reply, fetch, port_of, stored

PING = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, port: 'out[0]'}
  ports:
    out[0]: {name: pong, port: in}
- kind: snippet
  name: pong
  language: text
  code: pong
- {name: password, data: hunter2hunter2, secret: true}
"""

DEFAULT = "/v1/namespaces/default"


class Client:
    """Somebody who asks, with or without a token."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.token = token

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; a body that is not text is sent as JSON."""
        sent = dict(headers or {})
        data = b""
        if body is not None:
            data = body.encode() if isinstance(body, str) else body
            data = data if isinstance(data, bytes) else msgspec.json.encode(data)
            sent.setdefault("Content-Type", media)
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        return await fetch(self.port, path, method=method, headers=sent, body=data)

    async def until(self, *statuses: int, path: str = "/v1") -> Reply:
        """Ask again and again, until the answer has one of these statuses."""
        async with asyncio.timeout(10):
            while True:
                reply = await self("GET", path)
                if reply.status in statuses:
                    return reply

    async def get(self, path: str, **headers: str) -> Any:
        """Return the data at a path; anything but 200 fails the test."""
        reply = await self("GET", path, headers=headers)
        assert reply.status == 200, reply
        return msgspec.json.decode(reply.body)


def data(reply: Reply) -> Any:
    """Return the body of a reply as data."""
    return msgspec.json.decode(reply.body)


class Managing:
    """A runtime, its system namespace, and everything that both have told."""

    def __init__(self, rt: Runtime, system: Runtime) -> None:
        self.rt = rt
        self.system = system
        self.told: list[Event] = []
        system.events.listen(self.told.append)

    @property
    def call(self) -> Client:
        """A client without a token."""
        return Client(port_of(self.system))

    @property
    def port(self) -> int:
        """Where the API is."""
        return port_of(self.system)

    async def token(self, name: str, *roles: Role, namespaces: tuple[str, ...] = ("*",)) -> Client:
        """Return a client with a token of its own."""
        token = new_token()
        made = ApiToken(name=name, hash=hash_of(token), roles=roles, namespaces=namespaces)
        await self.rt.store.apply([Put(resource=value_of(made, SYSTEM))])
        client = Client(self.port, token)
        await client.until(200, 403)
        return client

    async def live(self, rt: Runtime, event: str = "generation live", *, after: int) -> None:
        """Wait until a runtime has a generation later than this."""
        async with asyncio.timeout(10):
            await rt.events.wait(event, since=after)


@asynccontextmanager
async def managing(
    *texts: str, store: Store | None = None, serving: ApiSettings | None = None, **options: Any
) -> AsyncIterator[Managing]:
    """Provide a runtime of what these texts say, and the system namespace beside it."""
    kept = store if store is not None else stored(*(texts or (PING,)))
    async with Runtime(store=kept, **options) as rt:
        system = system_runtime(
            kept, rt.registry, [rt], serving=serving or ApiSettings(port=0), drain=2.0
        )
        async with system:
            yield Managing(rt, system)
