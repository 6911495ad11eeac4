"""A Body is the JSON text of a Spec or a Value: the entry that says it, as `data_of` writes it.

JSON knows no bytes and no numbers such as infinity. They stand in it as `{"!!binary": "aGk="}` and
`{"!!float": ".inf"}`; a mapping of somebody that looks like that stands as `{"!!map": [[key, value]]}`.
"""

import json
import math
from base64 import b64decode, b64encode
from typing import Any

import msgspec

from heddle.schemas.errors import SpecError, StoreError
from heddle.schemas.path import Path, dotted
from heddle.specs.model.entry import data_of, spec_of, value_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

_TAG = '"!!'
_NUMBERS = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def body_of(resource: Spec | Value) -> str:
    """Return its Body; raise StoreError if it holds what no store can keep."""
    entry = data_of(resource)
    try:
        text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
        if _TAG in text:
            text = json.dumps(_tagged(entry, (), resource), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(_tagged(entry, (), resource), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"{resource.label} holds half of a character pair, which cannot be written as UTF-8"
        ) from None
    return text


def resource_of(sort: str, body: str, revision: int = 0) -> Spec | Value:
    """Return what the Body of a `spec` or a `value` says; raise SpecError if it says nothing that we know."""
    entry = msgspec.json.decode(body)
    if _TAG in body:
        entry = _plain(entry)
    read = spec_of if sort == "spec" else value_of
    resource, problems = read(entry, revision=revision)
    if resource is None:
        raise SpecError(problems)
    return resource


def sort_of(resource: Spec | Value) -> str:
    """`spec` or `value`: what the tables call its sort."""
    return "spec" if isinstance(resource, Spec) else "value"


def kept(resource: Spec | Value) -> tuple[Spec | Value, str]:
    """Return the resource as it will be read again, and its Body; raise StoreError if it could not be.

    A resource made by a program may say what no document can: a name with a line break, a number
    as a key. It is rejected here, where its author sees it, not where the next reader does.
    """
    body = body_of(resource)
    try:
        stored = resource_of(sort_of(resource), body, resource.revision)
    except SpecError as error:
        raise StoreError(f"{resource.label} cannot be kept: {error}") from None
    if stored.id != resource.id:
        raise StoreError(f"{resource.label} cannot be kept: a field of it is called id")
    return msgspec.structs.replace(stored, places=resource.places), body


def _tagged(value: Any, path: Path, resource: Spec | Value) -> Any:
    """Plain JSON for a value; raise StoreError if there is none."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return {"!!float": ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"}
    if isinstance(value, bytes | bytearray):
        return {"!!binary": b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [_tagged(each, (*path, at), resource) for at, each in enumerate(value)]
    if isinstance(value, dict):
        record = {
            str(key): _tagged(each, (*path, str(key)), resource) for key, each in value.items()
        }
        if len(record) == 1 and next(iter(record)).startswith("!!"):
            return {"!!map": [list(pair) for pair in record.items()]}
        return record
    raise StoreError(
        f"{dotted(resource.label, path)} is a {type(value).__name__} "
        "(expected: text, a number, true, false, nothing, bytes, a list or a mapping)"
    )


def _plain(value: Any) -> Any:
    """Return what a value of a Body stands for."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, given),) = value.items()
        if tag == "!!binary":
            return b64decode(given)
        if tag == "!!float":
            return _NUMBERS[given]
        if tag == "!!map":
            return {key: _plain(each) for key, each in given}
    return {key: _plain(each) for key, each in value.items()}
