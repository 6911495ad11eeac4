"""access: lets those requests through whose token is known, and says what they may do."""

import time
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from time import monotonic
from typing import Annotated, Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import msgspec

from heddle.extensions.extension import (
    IN,
    Answer,
    Build,
    Error,
    Fields,
    Flow,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.extensions.manage.audit import note
from heddle.extensions.manage.caller import Caller, Role, introduce
from heddle.extensions.manage.doorkeeper import Doorkeeper, TokensUnknownError
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.streams import lasting
from heddle.extensions.manage.tokens import ApiToken, match
from heddle.schemas.ascii import lower, trim
from heddle.schemas.errors import StoreError

REPORTED = 10
"""How many who came in vain are told in a second: whoever can reach it must not fill the log."""

_NAMES = frozenset({"localhost", "ip6-localhost"})


class Access(Fields):
    """The fields of an `access`."""

    bind: Annotated[
        str,
        about(
            "The address that the listener in front listens on. One that others can reach takes at "
            "least one token; without, the node does not begin."
        ),
    ] = "127.0.0.1"
    hosts: Annotated[
        list[str],
        about(
            "The names that requests may be sent to (`Host`); any with a token, those of this "
            "machine without, unless said otherwise.",
            examples=[["heddle.example.com"]],
        ),
    ] = msgspec.field(default_factory=list)
    local: Annotated[
        Role | None,
        about(
            "What callers from this machine may do as long as there is no token; null is nothing."
        ),
    ] = "admin"


@runtime_checkable
class FieldRequest(Protocol):
    """A request that can be given fields without being read."""

    def with_fields(self, **fields: Any) -> dict[str, Any]:
        """Return the same with these fields."""
        ...


class AccessNode(Node):
    """Introduces who comes, or turns away."""

    def __init__(self, fields: Access) -> None:
        self._fields = fields
        self._hosts = frozenset(lower(host) for host in fields.hosts)
        self._visit = Visit(self._act, waits=True)
        self._door: Doorkeeper | None = None
        self._before: AccessNode | None = None
        self._host: Host | None = None
        self._let_in = 0
        self._turned_away = 0
        self._second = 0
        self._reported = 0
        self._untold = 0

    # -- life ----------------------------------------------------------------------------------

    def adopt(self, predecessor: Node) -> None:
        """Take over its streams; that a token has existed stays known."""
        if isinstance(predecessor, AccessNode):
            self._before = predecessor

    def disown(self, predecessor: Node) -> None:
        """Give the streams back to the predecessor."""
        if isinstance(predecessor, AccessNode) and predecessor._door is not None:
            predecessor._door.streams.owner = predecessor
        self._before = None

    async def open(self, host: Host) -> None:
        """Refuses to begin where others can reach it, and nobody needs a token."""
        before, self._before = self._before, None
        door = Doorkeeper(host, before._door if before is not None else None)
        try:
            await door.open()
            if not is_local(self._fields.bind) and not await self._any(door):
                raise NodeError(
                    Error(
                        f"{self._fields.bind or 'every address'} can be reached by others, and there "
                        f"is no token in the namespace {host.namespace} (expected: a token, or an "
                        "address of this machine such as 127.0.0.1). Try: heddle token new NAME "
                        "--role admin",
                        code="no-token",
                    )
                )
        except BaseException:
            await door.close()
            raise
        self._host, self._door = host, door
        door.streams.owner = self

    @staticmethod
    async def _any(door: Doorkeeper) -> bool:
        """Return whether there is a token, or may be one."""
        try:
            return bool(await door.tokens())
        except TokensUnknownError:
            return True

    async def pause(self) -> None:
        """End the streams if no successor has taken them over."""
        if self._door is not None and self._door.streams.owner is self:
            await self._door.streams.end()

    async def close(self) -> None:
        """Follow no more changes of tokens."""
        if self._door is not None:
            await self._door.close()

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many were let in, and were not."""
        return {"let_in": self._let_in, "turned_away": self._turned_away}

    # -- packets -------------------------------------------------------------------------------

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        if not isinstance(payload, dict) or not isinstance(payload.get("header") or {}, Mapping):
            raise TypeError(
                "found no request (expected: a map with header, as a listener sends it)"
            )
        try:
            caller, token = await self._known(payload)
        except ApiError as rejection:
            self._turned_away += 1
            brought = bool(_header(payload.get("header") or {}, "Authorization"))
            if rejection.status in (403, 421) or (rejection.status == 401 and brought):
                self._audit(payload, rejection)
            return await flow.send("denied", rejection.response)
        self._let_in += 1
        introduce(flow.process, caller)
        auth = {"scheme": "bearer", "user": caller.name, "roles": list(caller.roles)}
        mapping = (
            payload.with_fields(auth=auth)
            if isinstance(payload, FieldRequest)
            else {**payload, "auth": auth}
        )
        answer = await flow.send("out", mapping)
        stream = lasting(answer)
        if stream is not None and self._door is not None:
            self._door.streams.add(stream, token)
        return answer

    async def _known(self, payload: dict[str, Any]) -> tuple[Caller, ApiToken | None]:
        """Return who sent it, and with which token; Rejection if nobody knows."""
        if self._door is None:
            raise ApiError(503, "store", "it does not know its tokens yet", header=_LATER)
        remote = str(payload.get("remote") or "")
        header = payload.get("header") or {}
        host = _header(header, "Host") or str(payload.get("host") or "")
        if self._hosts and name_of(host) not in self._hosts:
            raise _misdirected(host)
        try:
            tokens = await self._door.tokens()
        except StoreError as error:
            raise ApiError(503, "store", str(error), header=_LATER) from None
        scheme, _, given = trim(_header(header, "Authorization")).partition(" ")
        if not self._door.guarded and not _brings(header):
            return self._local(remote, host, header), None
        if not scheme:
            hint = "" if tokens else ". None is left. Try: heddle token new NAME --role admin"
            raise _unauthorized(
                f"a token is needed (expected: Authorization: Bearer TOKEN){hint}", ""
            )
        token = match(tokens, trim(given)) if lower(scheme) == "bearer" else None
        if token is None or token.expired(time.time()):
            why = "the token has expired" if token is not None else "nobody knows this token"
            raise _unauthorized(why, "invalid_token")
        return token.caller(remote), token

    def _local(self, remote: str, host: str, header: Mapping[str, Any]) -> Caller:
        """Return a caller from this machine, as long as there is no token.

        A page of another site, open in a browser of this machine, is no such caller: not by its own
        name that leads here (Host), and not by sending a request across (Origin).
        """
        if self._fields.local is None or not is_local(remote.rpartition(":")[0].strip("[]")):
            raise _unauthorized(
                "there is no token yet. Try: heddle token new NAME --role admin", ""
            )
        if not self._hosts and not is_local(name_of(host)):
            raise _misdirected(host)
        origin = _header(header, "Origin")
        site = _header(header, "Sec-Fetch-Site")
        foreign = bool(origin) and _netloc(origin) != lower(host)
        if foreign or site not in ("", "same-origin", "none"):
            raise ApiError(
                403,
                "cross-site",
                f"a page of {origin or 'another site'} sent this, and those need a token",
            )
        return Caller("local", (self._fields.local,), remote=remote, known=False)

    def _audit(self, payload: dict[str, Any], rejection: ApiError) -> None:
        """Write down who came in vain, and why. Who merely brought no token is not worth a line."""
        if self._host is None:
            raise RuntimeError("the node is not open")
        second, reason = int(monotonic()), rejection.detail
        if second != self._second:
            self._second, self._reported = second, 0
        if self._reported >= REPORTED:
            self._untold += 1
            return
        self._reported += 1
        if self._untold:
            reason += f" ({self._untold} more were turned away before)"
            self._untold = 0
        caller = Caller("", remote=str(payload.get("remote") or ""))
        note(self._host, caller, "access", status=rejection.status, reason=reason)


def _netloc(origin: str) -> str:
    """Host and port of an origin; empty if it is not a URL."""
    try:
        return lower(urlsplit(origin).netloc)
    except ValueError:
        return ""


def _header(header: Mapping[str, Any], name: str) -> str:
    values = header.get(name, "")
    return str(values[0] if isinstance(values, list) and values else values or "")


def _brings(header: Mapping[str, Any]) -> bool:
    """Return whether a request has the header Authorization, whatever it holds."""
    return "Authorization" in header


_LATER = {"Retry-After": "1"}


def _unauthorized(detail: str, error: str) -> ApiError:
    challenge = 'Bearer realm="heddle"' + (f', error="{error}"' if error else "")
    return ApiError(401, "unauthorized", detail, header={"WWW-Authenticate": challenge})


def _misdirected(host: str) -> ApiError:
    return ApiError(
        421,
        "host",
        f'nothing is served under the name "{name_of(host)}" (expected: a name of this machine, or one '
        "of `hosts`)",
    )


def name_of(host: str) -> str:
    """Return the name in a Host header, without its port."""
    text = lower(trim(host))
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


@lru_cache(maxsize=1024)
def is_local(host: str) -> bool:
    """Return whether an address or a name is one of this machine alone."""
    text = lower(host).removesuffix(".")
    if text in _NAMES or text.endswith(".localhost"):
        return True
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def compile_access(fields: Access, build: Build) -> Node:
    """Return no problem: nothing has to be checked beforehand."""
    del build
    return AccessNode(fields)


ACCESS: Kind[Any] = Kind(
    Schema(
        kind="access",
        ways=lambda _: ("out",),
        fields=Access,
        summary="Lets those requests through whose token is known, and says what they may do.",
        category="manage",
        ins=(IN,),
        outs=(
            Port("out", "Requests whose sender is known, with `auth` added."),
            Port(
                "denied", "A response (401, 403, 421) to the others; not linked, it is the answer."
            ),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: access, port: in}
- kind: access
  name: access
  ports:
    out: {name: specs, port: in}
- kind: manage
  name: specs
  operation: specs.list
""",
        details="""\
It stands in front of what a [`manage`](manage.md) does. Tokens are Values of its namespace whose names
begin with `token.`, made by `heddle token new`; they hold a hash, never the token. A change of them holds
from the next request on, and ends the streams whose token is revoked, has expired, or has lost a right.

As long as there has been no token, callers from this machine are let in as `local` says, and nobody else:
the address, `Host` and `Origin` of the request have to be of this machine. Who brings a token that nobody
knows is answered 401 even then. With the first token, everybody needs one, and that stays so: after the
last one is revoked nobody is let in until there is a new one. If the tokens cannot be read, the answer is
503.

`auth` is `{scheme, user, roles}`. What a caller may do is kept with the process, not in the packet.
""",
    ),
    compile_access,
)
