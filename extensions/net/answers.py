"""Answers on their way back through a node that adds to them."""

from typing import Any

from heddle.extensions.extension import NOTHING, Answer, Error
from heddle.extensions.net.http.latin import kept_bytes
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.response import AnswerMode, is_response
from heddle.extensions.net.http.upgrade import Upgrade
from heddle.extensions.net.http.vary import missing
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import lower, upper

Headers = dict[str, list[str]]


def mode_of(payload: Any) -> AnswerMode:
    """Return which maps the listener of a request takes for responses."""
    return payload.answer_mode if type(payload) is HttpRequest else "auto"


def with_headers(answer: Answer, added: Headers, mode: AnswerMode = "auto") -> Answer:
    """Return the same response with headers added; an Error and an Upgrade stay as they are.

    `Vary` and `Set-Cookie` join what the answer says itself; every other name replaces it.
    """
    if not added or isinstance(answer, Error | Upgrade):
        return answer
    if answer is NOTHING:
        return HttpResponse(status=204, header=dict(added))
    if not isinstance(answer, dict) or not is_response(answer, mode):
        header: dict[str, Any]
        if answer is None:
            # In an envelope, null is not a body at all.
            header = {**added, "Content-Type": ["application/json"]}
            return HttpResponse(header=header, body=b"null")
        return HttpResponse(header=dict(added), body=answer)
    given = answer.get("header")
    header = {}
    joined = {lower(name): list(values) for name, values in added.items() if name in _JOINED}
    for name, value in (given or {}).items():
        small = lower(str(name))
        if small in joined:
            own = value if isinstance(value, list) else [value]
            more = joined[small]
            joined[small] = [*own, *(missing(map(str, own), more) if small == "vary" else more)]
        elif not any(small == lower(text) for text in added):
            header[name] = value
    for name, values in added.items():
        header[name] = joined.get(lower(name), values)
    # A request that is echoed is told from data by its method: that stays.
    base = answer.plain() if isinstance(answer, HttpRequest) else answer
    return HttpResponse(base, header=kept_bytes(header, given))


_JOINED = frozenset({"Vary", "Set-Cookie"})


def header_of(payload: Any, name: str) -> str:
    """Return one header of a request, several joined by commas; "" without it."""
    if type(payload) is HttpRequest and not payload.replaced("header"):
        return payload.head.get(name)
    header = payload.get("header") if isinstance(payload, dict) else None
    values = header.get(name, "") if isinstance(header, dict) else ""
    return ", ".join(map(str, values)) if isinstance(values, list) else str(values)


def method_of(payload: Any) -> str:
    """Return the method of a request; raise TypeError if it is none."""
    if type(payload) is HttpRequest:
        return payload.method_text
    if isinstance(payload, dict) and isinstance(payload.get("method", "GET"), str):
        return upper(str(payload.get("method", "GET")))
    raise TypeError(
        "found no request (expected: a map with method and header, as a listener sends it)"
    )


def with_fields(payload: Any, **fields: Any) -> Any:
    """Return a request with fields added."""
    if type(payload) is HttpRequest:
        return payload.with_fields(**fields)
    return {**payload, **fields}
