"""Specs and Values one by one: list, get, create, replace, merge-patch, delete."""

from typing import Any

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.operation import JSON, PATCH, YAML, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.operations.query_params import (
    GetSpec,
    GetValue,
    ListSpecs,
    ListValues,
    WriteQuery,
)
from heddle.extensions.manage.operations.resource_ops import Sort
from heddle.extensions.manage.request import KEY
from heddle.schemas.ascii import capital
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

MATCH = ("If-Match", "If-None-Match", KEY)


def _operations(sort: Sort, held: Any, many: Any) -> list[Operation]:
    # One function: a table: one entry for each operation of the API.
    word, words, a = (
        capital(sort.word),
        f"{capital(sort.word)}s",
        f"a {capital(sort.word)}",
    )
    values = sort.type is Value
    shown = ResponseForm(about=f"The {word}.", type=held, media=(JSON, YAML), headers=("ETag",))
    now = ResponseForm(
        about="What it is now; with `dryRun`, what would be done.",
        type=held,
        planned=shapes.ApplyResultModel,
        headers=("ETag",),
    )
    entry = BodyForm(
        about=f"The {word}; its namespace, and its name where the path says it, may be left out.",
        type=held,
    )
    new = ResponseForm(about="Created.", type=held, headers=("ETag", "Location"))
    return [
        Operation(
            name=f"{sort.words}.list",
            summary=f"List {words}.",
            run=sort.page,
            query=ListValues if values else ListSpecs,
            replies={200: ResponseForm(about=f"{words}, by name.", type=many, media=(JSON, YAML))},
        ),
        Operation(
            name=f"{sort.words}.get",
            summary=f"Get {a}.",
            details="`ETag` is its revision; give it back as `If-Match` with a change.",
            run=sort.show,
            query=GetValue if values else GetSpec,
            headers=("If-None-Match",),
            replies={200: shown, 304: ResponseForm(about="It is as you have it.")},
            rejections=(404,),
        ),
        Operation(
            name=f"{sort.words}.create",
            summary=f"Create {a}.",
            run=sort.create,
            right="edit",
            query=WriteQuery,
            headers=(KEY,),
            body=entry,
            replies={201: new, 200: _planned()},
            rejections=(409, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.replace",
            summary=f"Replace {a}, or create it.",
            details=(
                "With `If-Match`, only if it still has that revision; with `If-None-Match: *`, "
                "only if there is none. Another name renames it."
            ),
            run=sort.replace,
            right="edit",
            query=WriteQuery,
            headers=MATCH,
            body=entry,
            replies={200: now, 201: new},
            rejections=(409, 412, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.patch",
            summary=f"Change some fields of {a}.",
            details="A merge patch (RFC 7396): null takes a field away, a list is replaced as a whole.",
            run=sort.patch,
            right="edit",
            query=WriteQuery,
            headers=MATCH,
            body=BodyForm(
                about="The fields that change.", type=dict[str, Any], media=(PATCH, JSON)
            ),
            replies={200: now},
            rejections=(404, 409, 412, 422),
            audit=True,
        ),
        Operation(
            name=f"{sort.words}.delete",
            summary=f"Delete {a}.",
            run=sort.delete,
            right="edit",
            query=WriteQuery,
            headers=MATCH,
            replies={204: ResponseForm(about="Deleted."), 200: _planned()},
            rejections=(404, 409, 412, 422),
            audit=True,
        ),
    ]


def _planned() -> ResponseForm:
    return ResponseForm(about="What it would do (`dryRun`).", type=shapes.ApplyResultModel)


OPERATIONS = [
    *_operations(Sort(Spec), shapes.SpecEntry, shapes.SpecList),
    *_operations(Sort(Value), shapes.ValueEntry, shapes.ValueList),
]
