"""The reader of request bodies: Specs and Values, or a rejection with every Problem and its line."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.manage.operation import JSON, PATCH, YAML
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.schemas.pieces import Pieces, by_turns
from heddle.specs.model.json_text import decode as decode_json
from heddle.specs.model.limits import ASIDE, limits
from heddle.specs.model.lossless_json import MarkError, unmarked
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value
from heddle.specs.yaml.document import Only, ReadText, read_data, read_text
from heddle.specs.yaml.spec_tree import too_large

_JSON = frozenset({JSON, "text/json"})
_YAML = frozenset({YAML, "application/x-yaml", "text/yaml", "text/x-yaml"})


def is_json(media: str) -> bool:
    """Return whether a media type is JSON, or built upon it."""
    return media in _JSON or media.endswith("+json")


async def sent_entries(
    request: ApiRequest, namespace: str, only: Only
) -> tuple[list[Resource], frozenset[UUID]]:
    """Return the entries of the body, and those ids among them that nobody wrote.

    An entry that names no namespace is of this one. Rejection with every Problem.
    """
    reading, written = await _read(request, namespace, only)
    if reading.problems:
        raise invalid(reading)
    resources: list[Resource] = [*reading.specs, *reading.values]
    nameless = {each.id for each in resources if each.name is None}
    return resources, frozenset(nameless - written)


async def sent_entry(
    request: ApiRequest, namespace: str, only: Only, *, named: str | None = None
) -> tuple[Resource, bool]:
    """Return the one entry of the body, and whether it says its own id; `named` is its name where it says none."""
    resources, unwritten = await sent_entries(request, namespace, only)
    if len(resources) != 1:
        count = len(resources) or "no"
        word = "entry" if only is None else only.removesuffix("s")
        raise ApiError(422, "invalid", f"{count} of them were sent (expected: one {word})")
    [resource] = resources
    if resource.name is None and named is not None:
        resource = msgspec.structs.replace(resource, name=named)
    return resource, resource.id not in unwritten


async def sent_json(request: ApiRequest, kind: type[msgspec.Struct]) -> Any:
    """Return the body as this struct; Rejection says what does not fit."""
    accept(request, is_json, (JSON,))
    body = await request.body()
    try:
        if isinstance(body, str | bytes):
            return decode_json(body, kind)
        return msgspec.convert(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(
            422 if isinstance(error, msgspec.ValidationError) else 400, "body", f"the body: {error}"
        ) from None


async def sent_patch(request: ApiRequest) -> Any:
    """Return a merge patch: a map."""
    accept(request, is_json, (PATCH, JSON))
    body = await request.body()
    try:
        patch = decode_json(body) if isinstance(body, str | bytes) else body
        patch = unmarked(patch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MarkError) as error:
        raise ApiError(400, "body", f"the body is not JSON: {error}") from None
    if not isinstance(patch, dict):
        raise ApiError(422, "body", "the body is not a map (expected: the fields that change)")
    return patch


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: maps are merged, null takes a field away, anything else takes its place."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def read_entries(entries: Any, namespace: str, only: Only) -> list[Resource]:
    """Entries that are data already; Rejection with every Problem."""
    try:
        reading = read_data(unmarked(entries), namespace=namespace, only=only)
    except MarkError as error:
        raise ApiError(422, "invalid", str(error)) from None
    if reading.problems:
        raise invalid(reading)
    return [*reading.specs, *reading.values]


def invalid(reading: ReadText, status: int = 400) -> ApiError:
    """Return the Rejection of what cannot be read; with this status if it cannot be read at all."""
    broken = not reading.whole
    return ApiError(
        status if broken else 422,
        "syntax" if broken else "invalid",
        "what was sent cannot be read" if broken else "something is wrong with what was sent",
        problems=reading.problems,
    )


def accept(request: ApiRequest, fits: Callable[[str], bool], expected: Sequence[str]) -> None:
    """Raise a Rejection 415 unless the body has a type that is read here.

    A page of another site can send a body without a type, or as plain text or a form, and is not asked
    first whether it may. What comes from a flow needs no type.
    """
    media = request.media
    if not fits(media) and (media or not request.inside):
        raise unsupported(media, expected)


def unsupported(media: str, expected: Sequence[str]) -> ApiError:
    """Return the Rejection of a body in a type that is not read here."""
    hint = f". Try: -H 'Content-Type: {expected[-1]}'"
    header = (
        {"Accept-Patch": ", ".join(expected)}
        if PATCH in expected
        else {"Accept": ", ".join(expected)}
    )
    sort = f'of type "{media}"' if media else "without Content-Type"
    detail = f"a body {sort} is not read here (expected: {' or '.join(expected)}){hint}"
    return ApiError(415, "media-type", detail, header=header)


async def _read(
    request: ApiRequest, namespace: str, only: Only
) -> tuple[ReadText, frozenset[UUID]]:
    """Return the body read twice, with other ids for what has none: those that stay the same are written."""
    accept(request, lambda media: is_json(media) or media in _YAML, (JSON, YAML))
    marks, body = is_json(request.media), await request.body()
    if body is None or body in (b"", ""):
        raise ApiError(400, "body", "there is no body (expected: entries in JSON or YAML)")
    most = limits().change_set
    if isinstance(body, str | bytes) and len(body) > ASIDE:
        from heddle.specs.yaml.parsing.parser import read_twice_aside

        data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        if len(data) > most:
            raise invalid(ReadText(problems=(too_large("", len(data), most),), whole=False), 413)
        twice_aside = await read_twice_aside(
            data, namespace=namespace, only=only, key="sent", again="again", most=most
        )
        return (await _without_marks(twice_aside[0]) if marks else twice_aside[0]), twice_aside[1]
    if isinstance(body, str | bytes):
        first, again = (
            read_text(body, namespace=namespace, only=only, key=key, most=most)
            for key in ("sent", "again")
        )
    else:
        first, again = (
            read_data(body, namespace=namespace, only=only, key=key) for key in ("sent", "again")
        )
    written = frozenset(spec.id for spec in again.specs)
    written |= frozenset(value.id for value in again.values)
    return (await _without_marks(first) if marks else first), written


async def _without_marks(reading: ReadText) -> ReadText:
    try:
        return await by_turns(_unmarked(reading))
    except MarkError as error:
        raise ApiError(422, "invalid", str(error)) from None


def _unmarked(reading: ReadText) -> Pieces[ReadText]:
    specs: list[Spec] = []
    for spec in reading.specs:
        specs.append(_unmarked_spec(spec))
        yield
    values: list[Value] = []
    for value in reading.values:
        values.append(_unmarked_value(value))
        yield
    return msgspec.structs.replace(reading, specs=tuple(specs), values=tuple(values))


def _unmarked_spec(spec: Spec) -> Spec:
    env = {
        key: binding
        if binding.data is msgspec.UNSET
        else Binding(binding.id, binding.name, unmarked(binding.data))
        for key, binding in spec.env.items()
    }
    return msgspec.structs.replace(spec, fields=unmarked(dict(spec.fields)), env=env)


def _unmarked_value(value: Value) -> Value:
    return msgspec.structs.replace(value, data=unmarked(value.data))
