"""The types of what the API sends and takes: the answers are made of them, and so is their description."""

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from heddle.extensions.extension import about
from heddle.extensions.manage.problem_response import ProblemModel
from heddle.specs.model.symbol_status import SymbolStatus

SPEC, VALUE = "Spec", "Value"


def _ref(name: str) -> Meta:
    return Meta(extra_json_schema={"$ref": f"#/components/schemas/{name}"})


SpecEntry: TypeAlias = Annotated[dict[str, Any], _ref(SPEC)]
ValueEntry: TypeAlias = Annotated[dict[str, Any], _ref(VALUE)]
Entry: TypeAlias = Annotated[
    dict[str, Any],
    Meta(
        extra_json_schema={
            "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in (SPEC, VALUE)]
        }
    ),
]
Sort: TypeAlias = Literal["spec", "value"]
Action: TypeAlias = Literal["created", "updated", "unchanged", "deleted"]


class ApiModel(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all of them."""


class SpecModel(ApiModel, frozen=True, kw_only=True):
    """A Spec as the store holds it."""

    revision: Annotated[int, about("The revision that changed it last.")]
    spec: SpecEntry


class ValueModel(ApiModel, frozen=True, kw_only=True):
    """A Value as the store holds it."""

    revision: Annotated[int, about("The revision that changed it last.")]
    value: ValueEntry


class ResourceModel(ApiModel, frozen=True, kw_only=True):
    """A Spec or a Value as the store holds it."""

    revision: Annotated[int, about("The revision that changed it last.")]
    spec: SpecEntry | UnsetType = UNSET
    value: ValueEntry | UnsetType = UNSET


class SpecList(ApiModel, frozen=True, kw_only=True):
    """Some of the Specs, by name."""

    items: list[SpecModel]
    revision: Annotated[int, about("What the store had come to before it was read.")]
    cursor: Annotated[
        str | None, about("Give it as `cursor` for what comes next; null: this is all.")
    ] = None


class ValueList(ApiModel, frozen=True, kw_only=True):
    """Some of the Values, by name; secrets are masked."""

    items: list[ValueModel]
    revision: Annotated[int, about("What the store had come to before it was read.")]
    cursor: Annotated[
        str | None, about("Give it as `cursor` for what comes next; null: this is all.")
    ] = None


class FieldChangeModel(ApiModel, frozen=True, kw_only=True):
    """One field that differs; a side that has no such field is left out."""

    at: Annotated[str, about("The field.", examples=["ports.out", "routes[0].path"])]
    before: Any = UNSET
    after: Any = UNSET


class Change(ApiModel, frozen=True, kw_only=True):
    """The change of one resource."""

    action: Action
    type: Sort
    id: UUID
    namespace: str
    name: str | None = None
    kind: str | UnsetType = UNSET
    details: Annotated[list[FieldChangeModel], about("Which fields differ.")] = []


class ArrivalModel(ApiModel, frozen=True, kw_only=True):
    """The progress of one runtime with a change set."""

    namespace: str
    runtime: Annotated[str, about("The id of the runtime.")]
    state: Annotated[
        Literal["live", "waiting", "rejected", "behind"],
        about("`behind`: it had not looked at it yet when the time was over."),
    ]
    symbols: Annotated[
        list[SymbolStatus], about("Those of the change set that are not well, and why.")
    ] = []


class ApplyResultModel(ApiModel, frozen=True, kw_only=True):
    """The effect of a change set, made or planned."""

    revision: Annotated[
        int, about("The revision that holds it; 0 if nothing was changed, or nothing written.")
    ]
    dry_run: Annotated[bool, about("Whether nothing was written because nobody asked for it.")] = (
        msgspec.field(name="dryRun", default=False)
    )
    changes: Annotated[list[Change], about("In the order in which they were sent.")] = []
    waited: Annotated[
        list[ArrivalModel], about("What became of it in each runtime that follows, with `wait`.")
    ] = []


class RevisionChangeModel(ApiModel, frozen=True, kw_only=True):
    """The change of one resource by a revision: no `before` if it is new, no `after` if it is gone."""

    type: Sort
    before: ResourceModel | None = None
    after: ResourceModel | None = None


class RevisionModel(ApiModel, frozen=True, kw_only=True):
    """One change set that the store has kept."""

    number: int
    time: Annotated[float, about("When, in seconds since 1970.")]
    author: str = ""
    message: str = ""
    turns: list[RevisionChangeModel] = []


class Revisions(ApiModel, frozen=True, kw_only=True):
    """Some revisions, the newest first."""

    items: list[RevisionModel]
    before: Annotated[
        int | None, about("Give it as `before` for older ones; null: these are all.")
    ] = None


class NewestModel(ApiModel, frozen=True, kw_only=True):
    """The newest revision of the store."""

    revision: int
    url: Annotated[str, about("Where the store is, as a person would write it.")]
    records: Annotated[bool, about("Whether it keeps its revisions.")]
    reports: Annotated[bool, about("Whether runtimes say in it how they are.")]


class Problems(ApiModel, frozen=True, kw_only=True):
    """A problem of a spec or a request."""

    items: list[ProblemModel]


class Namespace(ApiModel, frozen=True, kw_only=True):
    """A namespace, and what it holds."""

    name: str
    specs: int
    values: int
    here: Annotated[bool, about("Whether a runtime of it runs in this process.")]


class Namespaces(ApiModel, frozen=True, kw_only=True):
    """The namespaces that the caller may look into."""

    items: list[Namespace]


class ProcessModel(ApiModel, frozen=True, kw_only=True):
    """One run that has not ended."""

    id: UUID
    status: Literal["running", "ending", "ended"]
    origin: Annotated[str, about("The symbol that began it.")]
    generation: int
    started: Annotated[float, about("When, in seconds since 1970.")]
    parent: UUID | None = None
    children: list[UUID] = []
    reason: Annotated[str, about("Why nothing more is done for it.")] = ""


class Processes(ApiModel, frozen=True, kw_only=True):
    """The processes of a namespace that run in this process of the machine, the oldest first."""

    items: list[ProcessModel]
    total: int


class KindLine(ApiModel, frozen=True, kw_only=True):
    """A kind, in one line."""

    kind: str
    category: str
    summary: str


class Kinds(ApiModel, frozen=True, kw_only=True):
    """Every kind that Specs may have here."""

    items: list[KindLine]


class PortForm(ApiModel, frozen=True, kw_only=True):
    """A port of a kind."""

    name: str
    help: str
    indexed: Annotated[bool, about("Whether there are several: `out[0]`, `out[1]`, …")] = False


class KindForm(ApiModel, frozen=True, kw_only=True):
    """The fields and ports of a kind."""

    kind: str
    category: str
    summary: str
    details: str
    example: str
    ins: list[PortForm]
    outs: list[PortForm]
    schema: Annotated[dict[str, Any], about("The JSON Schema (draft-07) of a Spec of this kind.")]


class HealthModel(ApiModel, frozen=True, kw_only=True, omit_defaults=True):
    """The health of a runtime; without a token, at most the names of the sources that wait."""

    status: Literal["ok", "unready"]
    reason: Annotated[str, about("Why it is not; details only for those who may read.")] = ""


class Api(ApiModel, frozen=True, kw_only=True):
    """The server that answers here."""

    product: str
    version: str
    namespace: Annotated[str, about("The namespace that serves this API.")]
    caller: Annotated[str, about("Who you are here.")]
    roles: list[str]
    namespaces: Annotated[list[str], about("Where your roles hold; `*` is everywhere.")]
    openapi: Annotated[str, about("Where the description of this API is.")]


class DeleteModel(ApiModel, frozen=True, kw_only=True):
    """The resources to drop."""

    type: Sort
    id: UUID


class StoreChange(ApiModel, frozen=True, kw_only=True):
    """Either keep this or drop it; with `revision`, only if what is stored still has that revision.

    A revision of 0 is: only if it is new.
    """

    put: Entry | UnsetType = UNSET
    delete: DeleteModel | UnsetType = UNSET
    revision: int | None = None


class ChangeSetModel(ApiModel, frozen=True, kw_only=True):
    """Changes that are all made, or none: as the contract of a store has them."""

    changes: list[StoreChange]
    author: Annotated[
        str,
        about(
            "Who makes it, if the API needs no token; with a token, the history names that token."
        ),
    ] = ""
    message: Annotated[str, about("Why.")] = ""


class StoreResultModel(ApiModel, frozen=True, kw_only=True):
    """The resources that were put, in order, with new revisions."""

    revision: Annotated[int, about("What the store has come to.")]
    items: list[ResourceModel]


class RollbackModel(ApiModel, frozen=True, kw_only=True):
    """The revision to roll back to."""

    revision: Annotated[int, about("The revision whose state shall be that of now.", ge=0)]
