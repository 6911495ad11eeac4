"""Data as text and back: JSON, percent-encoding, and the query of a URL."""

from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode

import msgspec

from heddle.extensions.languages.cel.budget import bounded, spend
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.function import Function, no_overload, spending
from heddle.extensions.languages.cel.results import deep_plain
from heddle.extensions.languages.cel.values import kind
from heddle.runtime.flow.materialize import plain
from heddle.specs.model.json_text import decode as decode_json

_SHORTEST: Final = 2
"""How many characters of JSON each value takes at least: `[1,1]`."""

_FIELDS: Final = 10_000
"""The most fields of a query that is taken apart."""

_SCALARS: Final = ("string", "int", "uint", "double", "bool")


def _to_json(value: Any) -> str:
    try:
        return msgspec.json.encode(deep_plain(plain(value))).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CelError(f"json: it cannot be written as JSON ({error})") from None


def _parse_json(budget: list[int], text: Any) -> Any:
    if kind(text) not in ("string", "bytes"):
        raise no_overload("parseJson", text)
    # What comes out is paid for before it is made.
    spend(budget, 1 + len(text) // _SHORTEST)
    try:
        return decode_json(bytes(text) if kind(text) == "bytes" else str(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CelError(f"parseJson: {error}") from None


def _url_encode(budget: list[int], text: str) -> str:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise CelError("url.encode: the text has half of a character pair") from None
    bounded(budget, 3 * len(data))
    return quote(data, safe="")


def _url_decode(budget: list[int], text: str) -> str:
    bounded(budget, len(text))
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise CelError("url.decode: what is encoded is not UTF-8") from None


def _query_encode(budget: list[int], fields: dict[Any, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, values in fields.items():
        for value in values if kind(values) == "list" else [values]:
            if value is None:
                continue
            if kind(value) not in _SCALARS:
                raise no_overload("query.encode", value)
            pairs.append((str(name), _field(value)))
    bounded(budget, sum(12 * (len(name) + len(value)) + 2 for name, value in pairs))
    try:
        return urlencode(pairs)
    except UnicodeEncodeError:
        raise CelError("query.encode: a text has half of a character pair") from None


def _field(value: Any) -> str:
    return str(value).lower() if kind(value) == "bool" else str(plain(value))


def _query_decode(budget: list[int], text: str) -> dict[str, list[str]]:
    bounded(budget, len(text))
    spend(budget, 2 * text.count("&"))
    try:
        fields = parse_qs(
            text.removeprefix("?"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except UnicodeDecodeError:
        raise CelError("query.decode: what is encoded is not UTF-8") from None
    except ValueError:
        raise CelError(f"query.decode: there are more than {_FIELDS:,} fields") from None
    return fields


FUNCTIONS: Final = (
    Function(name="json", run=_to_json, arity=1, result="string", costly=True),
    Function(name="parseJson", run=_parse_json, arity=1, costly=True, spends=True),
    *(
        Function(
            name=name,
            run=spending(name, run, "map" if name == "query.encode" else "string"),
            arity=1,
            result="map" if name == "query.decode" else "string",
            costly=True,
            spends=True,
        )
        for name, run in (
            ("url.encode", _url_encode),
            ("url.decode", _url_decode),
            ("query.encode", _query_encode),
            ("query.decode", _query_decode),
        )
    ),
)
