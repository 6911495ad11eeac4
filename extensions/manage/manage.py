"""manage: does one thing to what is managed, or looks at it: specs, values, revisions, runtimes."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from heddle.extensions.extension import (
    IN,
    NOTHING,
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
from heddle.extensions.manage.caller import Caller, Role, caller_of
from heddle.extensions.manage.idempotency import repeated
from heddle.extensions.manage.operation import JSON, YAML, ApiReply, Operation
from heddle.extensions.manage.operations import OPERATIONS
from heddle.extensions.manage.paths import relative
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import KEY, ApiRequest
from heddle.extensions.response import HttpResponse
from heddle.runtime.managed import home_of, managed_by
from heddle.schemas.ascii import lower, trim
from heddle.schemas.errors import (
    ConflictError,
    NotFoundError,
    RejectedError,
    SpecError,
    StoreError,
    UnconfirmedError,
)
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.words import listed

MANY: Final = 500
"""Names in a reply from which others have their turn before each step that goes through them."""


class Manage(Fields):
    """The fields of a `manage`."""

    operation: Annotated[
        str, about("What it does.", examples=["specs.list", "namespace.apply", "processes.cancel"])
    ]
    role: Annotated[
        Role | None,
        about(
            "As what packets count whose sender no `access` has let in; without it, they are "
            "rejected. For flows that begin by themselves, such as with a `timer`."
        ),
    ] = None


class ManageNode(Node):
    """Answers requests, each with what its operation says."""

    def __init__(self, operation: Operation, role: Role | None) -> None:
        self._operation = operation
        self._role: Role | None = role
        self._visit = Visit(self._act, waits=True)
        self._host: Host | None = None
        self._done = 0
        self._rejected = 0

    async def open(self, host: Host) -> None:
        """Find through the host what is managed."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    def snapshot(self) -> Mapping[str, Any]:
        """Return how often it did what it does, and did not."""
        return {"done": self._done, "rejected": self._rejected}

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        host, operation = self._host, self._operation
        if host is None:
            raise RuntimeError("the node is not open")
        caller = self._caller(flow, payload)
        namespace = ""
        api_request: ApiRequest | None = None
        try:
            request = _request(payload)
            namespace = str((request.get("params") or {}).get("namespace", ""))
            if caller is None:
                raise ApiError(401, "unauthorized", "nobody knows who asks", header=_CHALLENGE)
            api_request = ApiRequest(
                request,
                operation.query,
                caller=caller,
                host=host,
                operation=operation.name,
                right=operation.right,
            )
            api_request.admit()
            reply = await _refusing(api_request, operation)
            # Whoever hangs up meanwhile is noted, too.
            await _rest(reply)
        except ApiError as rejection:
            self._rejected += 1
            notified = rejection.status in (401, 403) or (
                operation.audit and rejection.status != 404
            )
            if notified and operation.name != "reject":
                by = caller or Caller("", remote=_remote(payload))
                note(
                    host,
                    by,
                    operation.name,
                    status=rejection.status,
                    namespace=namespace,
                    reason=rejection.detail,
                )
            return _shown(rejection, host).response
        except asyncio.CancelledError:
            # Whoever hangs up does not keep what was done out of the audit log.
            if api_request is not None and operation.audit:
                _left(api_request)
            raise
        self._done += 1
        if reply.revision or reply.notified or _reveals(api_request):
            note(
                host,
                api_request.caller,
                operation.name,
                status=reply.status,
                namespace=namespace,
                names=reply.names,
                revision=reply.revision,
            )
        if reply.onward:
            return await flow.send("out", payload)
        await _rest(reply)
        return rendered(reply, api_request.header("Accept"))

    def _caller(self, flow: Flow, payload: Payload) -> Caller | None:
        known = caller_of(flow.process)
        if known is not None:
            return known
        if self._operation.right is None:
            return Caller("", remote=_remote(payload))
        if self._role is None or self._host is None:
            return None
        return Caller(self._host.label, (self._role,), remote=_remote(payload))


def _shown(rejection: ApiError, host: Host) -> ApiError:
    """Return the same, with no secret and no path of the server in what it says."""
    url = managed_by(host).store.url
    runtimes = dict.fromkeys((*managed_by(host).runtimes, home_of(host)))

    def clean(text: str) -> str:
        for runtime in runtimes:
            text = runtime.events.shown(text)
        return str(relative(text, url))

    rejection.detail = clean(rejection.detail)
    rejection.problems = tuple(
        msgspec.structs.replace(
            problem,
            found=clean(problem.found),
            expected=clean(problem.expected),
            hint=clean(problem.hint),
            place=msgspec.structs.replace(problem.place, file=relative(problem.place.file, url)),
        )
        for problem in rejection.problems
    )
    return rejection


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="heddle"'}


def _left(request: ApiRequest) -> None:
    """Write down what nobody waited for: that it was made, or that it may have been."""
    revision, names = request.made
    note(
        request.host,
        request.caller,
        request.operation,
        status=200 if revision else 499,
        namespace=request.namespace or "",
        names=names,
        revision=revision,
        reason="the client went away before the answer"
        + ("" if revision else ": the history says whether it was made"),
    )


def _reveals(request: ApiRequest) -> bool:
    return bool(getattr(request.query, "reveal", False))


def _remote(payload: Payload) -> str:
    remote = payload.get("remote") if isinstance(payload, dict) else None
    return remote if isinstance(remote, str) else ""


def _request(payload: Payload) -> Mapping[str, Any]:
    """Return the request in a packet: itself, that which an `sse` passes on, or what an Error was about."""
    if isinstance(payload, Error):
        return _failed(payload)
    if payload is None or payload is NOTHING:
        return {}
    if not isinstance(payload, dict):
        raise NodeError(
            Error(
                f"a manage wants a map, as a listener sends it: found {type(payload).__name__}",
                code="request",
            )
        )
    inner = payload.get("request")
    return inner if isinstance(inner, dict) else payload


_STATUSES = {"busy": 429, "timeout": 504, "dropped": 503}


def _failed(error: Error) -> dict[str, Any]:
    """Return what an Error is as a response: nothing from inside is told."""
    status = _STATUSES.get(error.code, 500)
    after = error.data.get("retry_after") if isinstance(error.data, dict) else None
    header = {"Retry-After": str(max(1, round(after)))} if isinstance(after, int | float) else {}
    cause = error.cause
    while cause is not None:
        # What a client did wrong says its own status; a program wraps it in errors of its own.
        value = getattr(cause, "status", None)
        if isinstance(value, int) and 400 <= value < 500:
            return HttpResponse({"status": value, "header": header, "detail": str(cause)})
        cause = cause.__cause__
    return HttpResponse({"status": status, "header": header})


async def _rest(reply: ApiReply) -> None:
    """Let others have their turn if the reply names so much that to go through it takes a while."""
    if len(reply.names) > MANY:
        await asyncio.sleep(0)


async def _refusing(request: ApiRequest, operation: Operation) -> ApiReply:
    """Return what the operation answers; what the store and the specs say against it is a Rejection."""
    try:
        return await repeated(request, operation) or await operation.run(request)
    except SpecError as error:
        raise ApiError(
            422,
            "invalid",
            "something is wrong with what was sent",
            problems=request.hidden(error.problems),
        ) from None
    except ConflictError as error:
        raise ApiError(409, "conflict", str(error)) from None
    except NotFoundError as error:
        raise ApiError(404, "not-found", str(error)) from None
    except RejectedError as error:
        raise ApiError(409, "unwritable", str(error)) from None
    except UnconfirmedError as error:
        detail = (
            f"{error.reason}. The change set may have been made. Send it again with "
            f"{KEY}: {request.once}"
        )
        raise ApiError(
            503, "unconfirmed", detail, header={"Retry-After": "1"}, key=request.once
        ) from None
    except StoreError as error:
        raise ApiError(503, "store", str(error), header={"Retry-After": "1"}) from None
    except ApiError:
        raise
    except Exception as error:
        # Whoever operates it is told everything, whoever asks nothing.
        request.host.emit(
            "managing failed", level="error", error=Error.of(error), operation=operation.name
        )
        raise ApiError(500, "failed", "it failed: the log of the runtime says why") from None


# --- answers --------------------------------------------------------------------------------------


def rendered(reply: ApiReply, accept: str) -> Answer:
    """Return a Reply as a response: JSON, or YAML if the client would rather have that."""
    header: dict[str, Any] = dict(reply.header)
    if reply.plain:
        return reply.body
    if reply.body is None:
        return HttpResponse({"status": reply.status, "header": header})
    if reply.resources is not None:
        header["Vary"] = "Accept"
        if prefers_yaml(accept):
            header["Content-Type"] = f"{YAML}; charset=utf-8"
            return HttpResponse(
                {"status": reply.status, "header": header, "body": to_yaml(reply.resources())}
            )
    header["Content-Type"] = JSON
    return HttpResponse(
        {"status": reply.status, "header": header, "body": msgspec.json.encode(reply.body)}
    )


def prefers_yaml(accept: str) -> bool:
    """Return whether an Accept header names YAML, and not JSON before it."""
    for media in lower(accept).split(","):
        kind = trim(media.partition(";")[0])
        if kind in (JSON, "*/*"):
            return False
        if kind.endswith("yaml"):
            return True
    return False


def to_yaml(entries: list[dict[str, Any]] | dict[str, Any]) -> str:
    """Entries as a YAML list in our own style, one alone as it is."""
    from heddle.specs.yaml.layout import entry_text

    many = entries if isinstance(entries, list) else [entries]
    return "\n".join(map(entry_text, many)) or "[]\n"


# --- the kind -------------------------------------------------------------------------------------


def compile_manage(fields: Manage, build: Build) -> Node:
    """Return an operation that is none is a Problem."""
    operation = OPERATIONS.get(fields.operation)
    if operation is None:
        build.reject(
            "operation",
            found=f'there is no operation "{fields.operation}"',
            expected=listed(sorted(OPERATIONS), most=len(OPERATIONS)),
            hint=did_you_mean(fields.operation, OPERATIONS),
            code="unknown-operation",
        )
    return ManageNode(operation, fields.role)


MANAGE: Kind[Any] = Kind(
    Schema(
        kind="manage",
        fields=Manage,
        summary="Does one thing to what is managed, or looks at it: specs, values, runtimes.",
        category="manage",
        ins=(IN,),
        outs=(
            Port("out", "Requests of `events.listen` that may be answered with a stream."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: '/v1/namespaces/:namespace/status', port: 'out[0]'}
  ports:
    out[0]: {name: status, port: in}
- kind: manage
  name: status
  operation: namespaces.status
  role: read
""",
        details="""\
It is what the [system namespace](../system.md) is made of. What is managed is the runtime's own namespace,
or, in a system namespace, the store and the runtimes that it was started for. A packet is a request, as a
listener and a router send it: `params`, `query`, `header` and `body`; its answer is a response. A rejection
is a problem document, with a status of 400 or more.

Whose request it is says an `access` in front; without one, and without `role`, every request is answered
401. Changes are checked as `heddle apply` checks them, made whole or not at all, and told as the events
`managed` and `managing rejected`. To change the namespace in which the node itself runs takes the role
admin.

The operations, and what they take, are told in [the API](../api.md).
""",
    ),
    compile_manage,
)
