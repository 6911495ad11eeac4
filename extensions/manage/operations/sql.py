"""SQL over what is managed: asked of the symbol `sql` in the namespace that serves the API."""

from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import Error, about
from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.caller import EVERY
from heddle.extensions.manage.operation import JSON, ApiReply, BodyForm, Operation, ResponseForm
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import sent_json
from heddle.runtime.runtime import NoSymbolError
from heddle.specs.model.lossless_json import marked, unmarked

ANSWERS = "sql"
"""The symbol that answers; without the extra `internal` there is none."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, and what its placeholders stand for."""

    statement: Annotated[str, about("The SQL, as SQLite has it.", min_length=1, max_length=65536)]
    args: Annotated[list[Any] | dict[str, Any], about("Values by position, or by name.")] = (
        msgspec.field(default_factory=list)
    )


class RowsModel(shapes.ApiModel, frozen=True, kw_only=True):
    """The result of the statement."""

    rows: list[dict[str, Any]]


async def run_statement(request: ApiRequest) -> ApiReply:
    """Run one statement that reads."""
    if not request.sees_all or not request.caller.may("operate", EVERY):
        # Tables hold every namespace, and frames hold what goes through them.
        raise ApiError(403, "forbidden", "this takes the role operate in every namespace")
    question: Question = await sent_json(request, Question)
    try:
        answer = await request.home.send(ANSWERS, [question.statement, unmarked(question.args)])
    except NoSymbolError as error:
        raise ApiError(
            501,
            "no-sql",
            f"nothing answers SQL here: {error}. Try: pip install 'heddle-runtime[internal]'",
        ) from None
    if isinstance(answer, Error):
        raise ApiError(422, "sql", answer.message)
    return ApiReply(RowsModel(rows=marked(answer)), header={"Cache-Control": "no-store"})


OPERATIONS = [
    Operation(
        name="sql.ask",
        summary="Ask in SQL what is held and how it runs.",
        details="The tables are those of `docs/sql.md`. Nothing can be changed in this way.",
        run=run_statement,
        right="operate",
        body=BodyForm(about="The statement.", type=Question, media=(JSON,)),
        replies={200: ResponseForm(about="Its rows.", type=RowsModel)},
        rejections=(422, 501),
    ),
]
