"""A RemoteLease is a lease that an API grants, in the name of the store behind it."""

from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.specs.model.lease import Holder, uptime


class SendRequest(Protocol):
    """Sends a request; return the data of its answer, or raise StoreError."""

    async def __call__(self, method: str, path: str, **more: Any) -> Any:
        """Return the data that a request is answered."""
        ...


class RemoteLease:
    """One lease, as one runtime sees it that follows a store over an API."""

    exact = False

    def __init__(self, send: SendRequest, name: str, ttl: float, holder: Holder) -> None:
        self.mark: float | None = None
        self.expires = 0.0
        self.holder: Holder | None = None
        self._send = send
        self._ttl = ttl
        self._us = holder
        namespace, key = split_name(name)
        self._path = f"/v1/namespaces/{quote(namespace, safe='')}/leases/{quote(key, safe='')}"

    async def take(self, mark: float | None = None) -> bool:
        """Take it, or renew it."""
        # Before it is sent: the API counts from later on.
        expires = uptime() + self._ttl
        state = await self._send("PUT", self._path, body={**self._given(mark), "ttl": self._ttl})
        granted = bool(state["granted"])
        if state["holder"] is not None:
            self.holder = msgspec.convert(state["holder"], Holder)
        self.mark = state["mark"]
        self.expires = expires if granted else 0.0
        return granted

    async def record(self, mark: float) -> bool:
        """Record what is about to be done, if the lease is still ours."""
        state = await self._send("POST", f"{self._path}/mark", body=self._given(mark))
        if state["granted"]:
            self.mark = mark
        return bool(state["granted"])

    async def release(self, mark: float | None = None) -> None:
        """Give it back, if it is ours."""
        self.expires = 0.0
        await self._send("POST", f"{self._path}/release", body=self._given(mark))

    def _given(self, mark: float | None) -> dict[str, Any]:
        return {"holder": msgspec.to_builtins(self._us), "mark": mark}


def split_name(name: str) -> tuple[str, str]:
    """Return the namespace and the key of a lease: `symbol/<namespace>/<id>` is that of a symbol."""
    sort, _, rest = name.partition("/")
    namespace, _, key = rest.partition("/")
    return (namespace, key) if sort == "symbol" and key else (DEFAULT_NAMESPACE, name)
