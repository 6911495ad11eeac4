"""Runs: workflows are begun in the runtime of this process, and followed until they end."""

from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import Error, NodeError, about
from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.operation import JSON, ApiReply, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.operations.runtimes import runtime_of
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import sent_json
from heddle.runtime.run_control import RunControl, find_run_control
from heddle.schemas.errors import HeddleError
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.names import parse_id

WORKFLOW = "workflow"


class RunBeginning(shapes.ApiModel, frozen=True, kw_only=True):
    """The inputs of a run."""

    inputs: Annotated[dict[str, Any], about("Its inputs by name.")] = msgspec.field(
        default_factory=dict
    )
    texts: Annotated[
        dict[str, str],
        about(
            "Inputs as texts, which are converted to their declared types; they come over `inputs`."
        ),
    ] = msgspec.field(default_factory=dict)


class RunModel(shapes.ApiModel, frozen=True, kw_only=True):
    """A run, with its transitions."""

    id: str
    workflow: str
    status: Annotated[str, about("`queued running suspended blocked completed failed cancelled`.")]
    created: float
    began: float | None = None
    ended: float | None = None
    reason: str = ""
    outputs: Any = None
    error: dict[str, Any] | None = None
    tasks: Annotated[list[str], about("The names of its tasks; only without `after`.")] = (
        msgspec.field(default_factory=list)
    )
    transitions: Annotated[
        list[dict[str, Any]], about("Those with numbers above `after`: one sequence without gaps.")
    ] = msgspec.field(default_factory=list)


class After(msgspec.Struct, frozen=True, kw_only=True):
    """From where on."""

    after: Annotated[int, about("The number of the last transition that is known.", ge=0)] = 0


async def begin(request: ApiRequest) -> ApiReply:
    """Begin a run of a workflow."""
    sent: RunBeginning = await sent_json(request, RunBeginning)
    key = request.once if request.header("Idempotency-Key") else None
    try:
        run = await _control(request).begin(
            sent.inputs, sent.texts, key=key, creator=request.caller.name
        )
    except NodeError as failure:
        raise _rejected(failure.error) from None
    return ApiReply(_shown(request, run), 202, names=(request.key, run["id"]), notified=True)


async def get(request: ApiRequest) -> ApiReply:
    """Return a run."""
    id_ = parse_id(request.key)
    if id_ is None:
        raise ApiError(404, "not-found", f'"{request.key}" is not the id of a run')
    for control in _controls(request):
        try:
            run = await control.show(id_, request.query.after)
        except HeddleError as error:
            raise ApiError(503, "run-store", str(error)) from None
        if run is not None:
            return ApiReply(_shown(request, run), header={"Cache-Control": "no-store"})
    raise ApiError(404, "not-found", f"no workflow of this runtime has a run {request.key}")


def _shown(request: ApiRequest, run: Any) -> Any:
    """Return a run without secrets."""
    return request.relative(request.masked(request.home.events.redactor.redacted(dict(run))))


def _control(request: ApiRequest) -> RunControl:
    """Return the RunControl of the workflow in the path; Rejection if it is not active here."""
    table = runtime_of(request).table
    symbol = table.get(request.key)
    known = [each.label for each in table.all() if each.spec.kind == WORKFLOW]
    if symbol is None or symbol.spec.kind != WORKFLOW:
        near = did_you_mean(request.key, known)
        raise ApiError(
            404,
            "not-found",
            f'there is no workflow "{request.key}" in the namespace {request.namespace} '
            f"(it has: {', '.join(known[:20]) or 'none'}). {near}".rstrip(". "),
        )
    control = find_run_control(symbol.node) if table.active(symbol) else None
    if control is None:
        raise ApiError(409, "not-active", f'the workflow "{request.key}" is not active')
    return control


def _controls(request: ApiRequest) -> list[RunControl]:
    table = runtime_of(request).table
    active = [each for each in table.all() if each.spec.kind == WORKFLOW and table.active(each)]
    controls = (find_run_control(each.node) for each in active)
    return [control for control in controls if control is not None]


def _rejected(error: Error) -> ApiError:
    """Return the rejection of a run that did not begin: its inputs, or its RunStore."""
    if error.code in ("invalid", "unstorable"):
        return ApiError(422, error.code, error.message)
    return ApiError(503, error.code, error.message)


OPERATIONS = [
    Operation(
        name="runs.begin",
        summary="Begin a run of a workflow, recorded.",
        details=(
            "The answer comes as soon as the run is recorded. A second request with the same "
            "`Idempotency-Key` begins nothing, and is answered with the first run. The runtime of the "
            "workflow is in the process that answers."
        ),
        run=begin,
        right="operate",
        headers=("Idempotency-Key",),
        body=BodyForm(about="Its inputs.", type=RunBeginning, media=(JSON,)),
        replies={202: ResponseForm(about="It is recorded, and begins.", type=RunModel)},
        rejections=(404, 409, 422, 503),
        audit=True,
    ),
    Operation(
        name="runs.get",
        summary="Look at a run, or follow it.",
        run=get,
        right="operate",
        query=After,
        replies={200: ResponseForm(about="The run.", type=RunModel)},
        rejections=(404, 503),
    ),
]
