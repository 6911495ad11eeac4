"""Health answers over HTTP whether every worker is there and ready: GET /healthz, and all that is known at /.

GET /livez answers as long as this process does: a restart would not help against what /healthz tells.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heddle.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from heddle.extensions.net.http.exchange import Exchange
    from heddle.extensions.net.http.server import Server


class HealthServer:
    """A small HTTP server at `host:port`; `state` gives what there is to say, with `ok` in it."""

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
            return
        state = self._state()
        status = 200 if state["ok"] else 503
        if path == "/healthz":
            why = "; ".join(state.get("reasons", ()))
            body = "ok" if state["ok"] else f"not ok: {why}" if why else "not ok"
            exchange.reply({"status": status, "body": body})
        elif path == "/livez":
            exchange.reply({"status": 200, "body": "ok"})
        elif path == "/":
            exchange.reply({"status": status, "body": state})
        else:
            exchange.reply({"status": 404, "body": "not found"})
