"""Health answers over HTTP how the workers are: for probes, and at / with all that is known.

`/livez` answers 200 as long as this process does: a restart would not help against what the others say.
`/startupz` is 200 once everything has begun, and stays so. `/readyz` is 200 while requests can be served: it
ends with the signal to stop, before any listener closes. `/healthz` is 200 while nothing at all is amiss.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from heddle.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from heddle.extensions.net.http.exchange import Exchange
    from heddle.extensions.net.http.server import Server

_PROBES: Final[Mapping[str, str]] = {"/healthz": "ok", "/readyz": "ready", "/startupz": "started"}
"""The demands of each path on the state."""


class HealthServer:
    """A small HTTP server at `host:port`; `state` gives what there is to say.

    In the state, `ok`, `ready` and `started` answer the probes, and `reasons` says why not.
    """

    def __init__(self, address: str, state: Callable[[], dict[str, Any]]) -> None:
        """CommandError if the address is none."""
        host, _, port = address.rpartition(":")
        if not port.isdigit() or int(port) > 65535:
            raise CommandError(f'"{address}" is not an address (expected: HOST:PORT or :PORT)')
        self._where = host.strip("[]") if host else "127.0.0.1", int(port)
        self._state = state
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The address to ask, once it is open."""
        host, port = self._server.address if self._server is not None else self._where
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def open(self) -> None:
        """Listen; OSError says which address cannot be had."""
        from heddle.extensions.net.http.server import Server

        self._server = Server(self._answer, name="health")
        await self._server.start(*self._where)

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            await self._server.drain(1.0)

    def _answer(self, exchange: "Exchange") -> None:
        request = exchange.request
        path, method = request.raw_path, request.method_text
        if method not in ("GET", "HEAD"):
            exchange.reply({"status": 405, "header": {"Allow": "GET, HEAD"}, "body": None})
        elif path in _PROBES:
            state = self._state()
            good = state[_PROBES[path]]
            reasons = "; ".join(state["reasons"])
            text = f"not ok: {reasons}" if reasons else "not ok"
            exchange.reply({"status": 200 if good else 503, "body": "ok" if good else text})
        elif path == "/livez":
            exchange.reply({"status": 200, "body": "ok"})
        elif path == "/":
            state = self._state()
            exchange.reply({"status": 200 if state["ok"] else 503, "body": state})
        else:
            exchange.reply({"status": 404, "body": "not found"})
