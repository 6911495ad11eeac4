"""A check walks the whole Spec and tells every Problem together; a decode gives the fields.

What fits is decided by msgspec alone: a value that it takes is right, and only what it rejects is
walked for reasons. So the two can never disagree, and a Spec that is right costs one conversion.

People write a little more loosely than the types say: `"8000"` is a number if a number is wanted
(values from the environment are texts), and a single item stands for a list of one.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from heddle.schemas.common_fields import SPEC_FIELDS
from heddle.schemas.data_type import describe_type
from heddle.schemas.declaration import Declaration
from heddle.schemas.errors import SpecError
from heddle.schemas.field import FieldError, read_field, written
from heddle.schemas.guard import GUARDS, GuardFields, apart
from heddle.schemas.path import Path, dotted
from heddle.schemas.problem import Place, Problem
from heddle.schemas.schema import F, Schema
from heddle.schemas.shape import Field, FieldShape, fields_of, shape_of, tag_of
from heddle.schemas.suggestion import did_you_mean, nearest
from heddle.schemas.words import any_of, describe_shape, field_named, plain

_ITSELF: Any = object()
_SHAPES: list[FieldShape] = []


def decode(spec: Declaration, schema: Schema[F]) -> F:
    """Return the fields of a Spec, defaults filled in; SpecError carries everything that is wrong with them."""
    own, guard = apart(spec.fields, schema)
    try:
        fields = msgspec.convert(own, schema.fields, strict=False, dec_hook=read_field)
        if guard:
            msgspec.convert(guard, GuardFields, strict=False, dec_hook=read_field)
    except msgspec.ValidationError:
        pass
    else:
        return fields
    walk = _FieldWalk(spec)
    better = walk.look(schema.shape, own, ())
    if guard:
        walk.look(shape_of(GuardFields), guard, ())
    if walk.problems:
        raise SpecError(in_order(walk.problems))
    return msgspec.convert(better, schema.fields, strict=False, dec_hook=read_field)


def decode_guard(spec: Declaration, schema: Schema[Any]) -> GuardFields | None:
    """Return what a Spec that decodes says round its node; None if it says nothing."""
    given = apart(spec.fields, schema)[1]
    if not given:
        return None
    return msgspec.convert(given, GuardFields, strict=False, dec_hook=read_field)


def check(spec: Declaration, schema: Schema[Any], *, unfilled: bool = False) -> list[Problem]:
    """Return every Problem of a Spec's own fields, by place; none means that `decode` gives its fields.

    With `unfilled`, a text with a blank (`{{ PORT }}`) may stand anywhere: what will fill it is not
    known yet.
    """
    walk = _FieldWalk(spec, unfilled=unfilled)
    own, guard = apart(spec.fields, schema)
    walk.look(schema.shape, own, ())
    if guard:
        walk.look(shape_of(GuardFields), guard, ())
    return in_order(walk.problems)


def unknown_kind(
    spec: Declaration, known: Mapping[str, Any] | set[str] | frozenset[str]
) -> Problem:
    """Return the Problem of a Spec whose kind nobody serves."""
    names = sorted(known)
    return Problem(
        code="unknown-kind",
        found=f'no kind "{spec.kind}"',
        hint=did_you_mean(spec.kind, names, "kind")
        or "See heddle kinds, or add the extension that has it.",
        place=spec.place(("kind",)),
        path=dotted(spec.label, ("kind",)),
    )


def in_order(problems: list[Problem]) -> list[Problem]:
    """By file, line and column; what stands at one place keeps its order, and the same is told once."""
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda problem: _rank(problem.place))


def _rank(place: Place) -> tuple[str, int, int]:
    return (place.file, place.line, place.column)


def blank_hint(text: str) -> str:
    """Return how the blank in a text is filled; empty if it has none."""
    blank = _BLANK.search(text)
    if blank is None:
        return ""
    name = blank[1]
    return f"Blanks are filled if an env has their names: {name}: {{data: '{{{{ .{name} }}}}'}}."


class _FieldWalk:
    """One way through the fields of one Spec, picking up Problems.

    `look` returns the value as it should have been written, so that single items become lists.
    """

    def __init__(self, spec: Declaration, *, unfilled: bool = False) -> None:
        self.problems: list[Problem] = []
        self._spec = spec
        self._unfilled = unfilled
        self._blanks = 0

    def look(self, shape: FieldShape, value: Any, path: Path) -> Any:
        """Find out why a value does not fit, if it does not."""
        if self._unfilled and isinstance(value, str) and "{{" in value:
            self._blanks += 1
            return value
        reason = _rejection(shape, value)
        if reason is None:
            return value
        before, blanks = len(self.problems), self._blanks
        better = self._into(shape, value, path)
        if better is _ITSELF:
            self._invalid(shape, value, path, reason)
            return value
        if len(self.problems) == before and self._blanks == blanks:
            # Each part is right by itself, so it is the whole that breaks a rule.
            reason = _rejection(shape, better)
            if reason is not None:
                self._invalid(shape, value, path, reason)
        return better

    def _into(self, shape: FieldShape, value: Any, path: Path) -> Any:
        """Look at the parts; _ITSELF if there are none, or the value has none."""
        match shape.form:
            case "object" if isinstance(value, Mapping):
                return self._group(shape.bare, value, path)
            case "mapping" if isinstance(value, Mapping):
                return self._map(shape, value, path)
            case "array" if isinstance(value, list | tuple):
                return [self.look(shape.items[0], item, (*path, i)) for i, item in enumerate(value)]
            case "array":
                return self._single(shape, value, path)
            case "union":
                return self._either(shape, value, path)
            case _:
                return _ITSELF

    def _group(self, group: type[msgspec.Struct], value: Mapping[Any, Any], path: Path) -> Any:
        """Look at each field, for fields that nobody knows, and for fields that are missing."""
        fields = fields_of(group)
        tag = tag_of(group)
        better: dict[Any, Any] = {}
        matched: set[str] = set()
        for key, item in value.items():
            field = field_named(fields, key) if isinstance(key, str) else None
            if field is not None:
                better[key] = self._field(field, item, (*path, key))
            elif tag is not None and key == tag[0]:
                better[key] = item
            elif self._unfilled and "{{" in str(key):
                # It may become any of the fields, so none can be called missing.
                self._blanks += 1
                matched.update(field.name for field in fields)
            else:
                matched.add(self._unknown(fields, str(key), path))
        for field in fields:
            if field.required and field.name not in value and field.name not in matched:
                self._add("missing", "missing", (*path, field.name), describe_shape(field.shape))
        return better

    def _field(self, field: Field, value: Any, path: Path) -> Any:
        """Look at one field; who leaves it empty is told that it may be left out."""
        if value is None and not field.required and _rejection(field.shape, None) is not None:
            default = None if field.default is msgspec.UNSET else written(field.default)
            shown = "" if default in ("", [], {}, None) else f", {plain(default)}"
            hint = f"Leave it out for the default{shown}."
            self._add("type", describe_type(None), path, describe_shape(field.shape), hint)
            return value
        return self.look(field.shape, value, path)

    def _unknown(self, fields: tuple[Field, ...], key: str, path: Path) -> str:
        """Tell of a field that nobody knows; returns the name of the field that was meant."""
        names = [field.name for field in fields]
        common = (*SPEC_FIELDS, *GUARDS)
        near = nearest(key, [*names, *(() if path else common)], "field")
        known = f"one of {any_of(names)}" if names else "no fields of its own"
        hint = did_you_mean(key, [*names, *(() if path else common)], "field")
        if path and key in common:
            hint = f"{key} is a field of the Spec itself: indent it like kind."
        self._add("unknown-field", "unknown field", (*path, key), known, hint)
        return near or ""

    def _map(self, shape: FieldShape, value: Mapping[Any, Any], path: Path) -> Any:
        """Look at each name and its value."""
        better: dict[Any, Any] = {}
        for key, item in value.items():
            if _rejection(shape.items[0], key) is not None:
                hint = f'Write it in quotes: "{key}".' if not isinstance(key, str) else ""
                self._add(
                    "type",
                    f"the name {describe_type(key)}",
                    (*path, str(key)),
                    describe_shape(shape.items[0]),
                    hint,
                )
            better[key] = self.look(shape.items[1], item, (*path, str(key)))
        return better

    def _single(self, shape: FieldShape, value: Any, path: Path) -> Any:
        """Return a single item stands for a list of one."""
        item = shape.items[0]
        if value is None or isinstance(value, bytes):
            return _ITSELF
        if isinstance(value, Mapping) and item.form in ("object", "mapping", "union", "custom"):
            return [self.look(item, value, path)]
        return [value] if _rejection(item, value) is None else _ITSELF

    def _either(self, shape: FieldShape, value: Any, path: Path) -> Any:
        """Look at the only member of a union that can be meant."""
        members = [item for item in shape.items if item.form != "null"]
        if value is None:
            return _ITSELF
        if len(members) > 1:
            forms = _MEANT.get(type(value), ())
            members = [item for item in members if item.form in forms]
        if len(members) > 1:
            members = self._tagged(members, value, path)
        if members is _SHAPES:
            return value
        return self.look(members[0], value, path) if len(members) == 1 else _ITSELF

    def _tagged(self, members: list[FieldShape], value: Any, path: Path) -> "list[FieldShape]":
        """Return the member that the tag names; _TOLD once a wrong tag has been told."""
        tags = {str(tag[1]): item for item in members if (tag := tag_of(item.bare)) is not None}
        if len(tags) != len(members):
            return members
        field = tag_of(members[0].bare)
        name = field[0] if field is not None else ""
        given = value.get(name)
        if str(given) in tags:
            return [tags[str(given)]]
        text = "missing" if name not in value else describe_type(given)
        code = "missing" if name not in value else "choice"
        self._add(
            code, text, (*path, name), any_of(sorted(tags)), did_you_mean(str(given), set(tags))
        )
        return _SHAPES

    def _invalid(
        self, shape: FieldShape, value: Any, path: Path, reason: msgspec.ValidationError
    ) -> None:
        """Tell of a value that does not fit as a whole."""
        cause = reason.__cause__
        hint = blank_hint(value) if isinstance(value, str) and not self._spec.env else ""
        if hint:
            self._add("type", _shown(value), path, describe_shape(shape), hint)
        elif isinstance(cause, FieldError):
            code = cause.code or "invalid"
            hint = cause.hint or ("" if self._spec.env else blank_hint(cause.found))
            self._add(code, cause.found, (*path, *cause.path), cause.expected, hint)
        elif isinstance(cause, ValueError | TypeError) and str(cause):
            self._add(
                "invalid", str(cause), path, describe_shape(shape) if shape.form == "custom" else ""
            )
        else:
            code, hint = _why(shape, value)
            self._add(code, _shown(value), path, describe_shape(shape), hint)

    def _add(self, code: str, actual: str, path: Path, expected: str = "", hint: str = "") -> None:
        self.problems.append(
            Problem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                place=self._spec.place(path),
                path=dotted(self._spec.label, path),
            )
        )


_BLANK = re.compile(r"\{\{-?\s*\.?([A-Za-z_]\w*)")

_MEANT: dict[type, tuple[str, ...]] = {
    dict: ("object", "mapping"),
    list: ("array",),
    tuple: ("array",),
}


def _shown(value: Any) -> str:
    """Return what was found, with its length if it has one."""
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return "an empty mapping" if value == {} else describe_type(value)


def _rejection(shape: FieldShape, value: Any) -> msgspec.ValidationError | None:
    """Return why msgspec does not take the value; None if it does."""
    try:
        msgspec.convert(value, shape.type, strict=False, dec_hook=read_field)
    except msgspec.ValidationError as error:
        # Without its frames, which hold what is returned; its cause says what is wrong.
        return error.with_traceback(None)
    return None


def _why(shape: FieldShape, value: Any) -> tuple[str, str]:
    """Return the code and the hint for a plain value that does not fit."""
    for item in shape.items if shape.form == "union" else ():
        if item.form not in ("null", "union") and _why(item, value)[0] != "type":
            return _why(item, value)
    if shape.form == "enum":
        return "choice", did_you_mean(str(value), {str(choice) for choice in shape.choices})
    if shape.form == "string" and isinstance(value, bool | int | float):
        text = str(value).lower()
        return "type", f'Write it in quotes: "{text}".' if _rejection(shape, text) is None else ""
    try:
        msgspec.convert(value, shape.bare, strict=False, dec_hook=read_field)
    except msgspec.ValidationError:
        return "type", ""
    return ("pattern" if shape.form == "string" and shape.limit("pattern") else "range"), ""
