"""A Rejection is an answer that says no: a problem document (RFC 9457), with our Problems and places."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import about
from heddle.extensions.response import HttpResponse
from heddle.schemas.problem import Problem

MEDIA = "application/problem+json"

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class ProblemModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong: where, what was found, what was expected, and what to try."""

    code: Annotated[str, about("A stable word for programs.", examples=["unknown-field"])]
    found: Annotated[str, about("What was found.")]
    expected: Annotated[str, about("What was expected.")] = ""
    hint: Annotated[str, about("What to try.")] = ""
    path: Annotated[str, about("The field.", examples=["router.ports.out[0]"])] = ""
    file: Annotated[str, about("Where it stands; empty is the document that was sent.")] = ""
    line: Annotated[int, about("The line, from 1; 0 is unknown.")] = 0
    column: Annotated[int, about("The column, from 1; 0 is unknown.")] = 0


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The reason why a request was rejected (RFC 9457)."""

    type: Annotated[str, about("A stable name of the sort of rejection.")]
    title: Annotated[str, about("The phrase of the status.")]
    status: Annotated[int, about("The status of the response.")]
    detail: Annotated[str, about("What is wrong, and what to do.")] = ""
    problems: Annotated[
        tuple[ProblemModel, ...], about("Everything that is wrong, with places.")
    ] = ()
    key: Annotated[
        str | None,
        about(
            "Of a change set that may have been made: sent again with this `Idempotency-Key`, it is "
            "made once."
        ),
    ] = None
    revision: Annotated[
        int | None, about("The revision that there is, where another was expected.")
    ] = None
    current: Annotated[
        dict[str, Any] | None, about("What there is, where another revision was expected.")
    ] = None
    merged: Annotated[
        dict[str, Any] | None,
        about("Both changes merged, if that goes without a conflict: what to send again."),
    ] = None
    conflicts: Annotated[
        tuple[dict[str, Any], ...], about("Where the two changes cannot be merged.")
    ] = ()


class ApiError(Exception):
    """Raised if a request is rejected; `code` is the end of the document's `type`."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        problems: Iterable[Problem] = (),
        header: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail or code)
        self.status = status
        self.code = code
        self.detail = detail
        self.problems = tuple(problems)
        self.header = dict(header or {})
        self.more = more

    @property
    def document(self) -> ProblemDocument:
        """The body that is sent."""
        return ProblemDocument(
            type=f"urn:heddle:problem:{self.code}",
            title=TITLES.get(self.status, ""),
            status=self.status,
            detail=self.detail,
            problems=tuple(wrong(problem) for problem in self.problems),
            **self.more,
        )

    @property
    def response(self) -> dict[str, Any]:
        """The response as a listener takes it."""
        header = {"Content-Type": MEDIA, "Cache-Control": "no-store", **self.header}
        body = msgspec.json.encode(self.document)
        return HttpResponse({"status": self.status, "header": header, "body": body})


def wrong(problem: Problem) -> ProblemModel:
    """Return a Problem as it is told over HTTP."""
    return ProblemModel(
        code=problem.code,
        found=problem.found,
        expected=problem.expected,
        hint=problem.hint,
        path=problem.path,
        file=problem.place.file,
        line=problem.place.line,
        column=problem.place.column,
    )
