"""JSON Schema of kinds and of whole files, for editors.

It is draft-07, the newest that yaml-language-server (VS Code, Neovim, JetBrains through LSP)
understands; `if`/`then` per kind lets it complete and judge the very kind that was written. An
editor sees a file before its blanks are filled, so any field may also be a text with a blank, and
whatever `decode` takes (`"8000"` for a number, one item for a list) passes here too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from heddle.schemas.code import Expression, LanguageName
from heddle.schemas.common import Common, Target, ValueFields
from heddle.schemas.common_fields import DATA_FIELDS
from heddle.schemas.field import FieldType, written
from heddle.schemas.guard import GuardFields, guards_of
from heddle.schemas.port import LIFECYCLE, Port
from heddle.schemas.schema import Completions, Schema
from heddle.schemas.shape import Field, FieldShape, fields_of, tag_of

JsonSchema: TypeAlias = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"

_BLANK = r"\{\{"
_WHOLE = r"^[+-]?[0-9]+(\.0*)?([eE][+-]?[0-9]+)?$"
_NUMBER = (
    r"^[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])$"
)
_EITHER: JsonSchema = {
    "anyOf": [
        {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
        for name in ("name", "id")
    ]
}
"""The schema of a Target itself, as no type can say it: one of the two is needed."""

_SHORT_TARGET = "The node to link to, by name; `NAME.in[1]` is another in port than `in`."

_FLAG = r"^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[01])$"


def kind_schema(schema: Schema[Any], languages: Iterable[str] = ()) -> JsonSchema:
    """Return the JSON Schema of one Spec of this kind, standing alone."""
    export = _Export(languages)
    body = export.kind(schema)
    return {"$schema": DRAFT, "title": schema.kind, **body, "definitions": export.sorted()}


def complete(
    schemas: Iterable[Schema[Any]], specs: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Completions:
    """Return what editors can complete in files with these Specs; `specs` are their fields by kind."""
    conditions: dict[type[msgspec.Struct], list[Mapping[str, Any]]] = {}
    left_out: list[str] = []
    for schema in sorted(schemas, key=lambda schema: schema.kind):
        if schema.completions is not None:
            known = schema.completions(specs.get(schema.kind, ()))
            left_out += known.left_out
            for group, more in known.conditions.items():
                conditions.setdefault(group, []).extend(more)
    return Completions(conditions, tuple(dict.fromkeys(left_out)))


def file_schema(
    schemas: Iterable[Schema[Any]],
    languages: Iterable[str] = (),
    completions: Completions = Completions(),  # noqa: B008 - never changed
) -> JsonSchema:
    """Return the JSON Schema of a file: one Spec or Value, or a list of them; the same for the same kinds.

    With `languages`, a field that names a language offers these and no others. `completions` add what
    some Specs are completed by (see `complete`).
    """
    known = sorted(schemas, key=lambda schema: schema.kind)
    export = _Export(languages, completions)
    branches: list[JsonSchema] = []
    for schema in known:
        name = f"kind.{schema.kind}"
        export.definitions[name] = export.kind(schema)
        is_it = {"properties": {"kind": {"const": schema.kind}}, "required": ["kind"]}
        branches.append({"if": is_it, "then": _ref(name)})
    mappings = [{"required": [field]} for field in DATA_FIELDS]
    export.definitions["value"] = {**export.group(ValueFields, "value"), "oneOf": mappings}
    branches.append({"if": {"not": {"required": ["kind"]}}, "then": _ref("value")})
    kind: JsonSchema = {
        "type": "string",
        "description": _help(Common, "kind"),
        "enum": [schema.kind for schema in known],
        "enumDescriptions": [schema.summary for schema in known],
    }
    document: JsonSchema = {
        "type": "object",
        "properties": {"kind": kind},
        "allOf": branches,
    }
    export.definitions["document"] = document
    return {
        "$schema": DRAFT,
        "title": "Heddle specs and values",
        "if": {"type": "array"},
        "then": {"items": _ref("document")},
        "else": _ref("document"),
        "definitions": export.sorted(),
    }


def to_json(schema: JsonSchema) -> str:
    """As text for a file: indented, ending in a newline, the same on every machine."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


class _Export:
    """The definitions that one export shares."""

    def __init__(
        self,
        languages: Iterable[str] = (),
        completions: Completions = Completions(),  # noqa: B008 - never changed
    ) -> None:
        self._languages = sorted(languages)
        self._conditions = completions.conditions
        self.definitions: dict[str, JsonSchema] = {}
        self.definitions["target"] = self.group(Target, "target")
        self.definitions["link"] = {
            "if": {"type": "string"},
            "then": {"type": "string", "minLength": 1, "description": _SHORT_TARGET},
            "else": _ref("target"),
        }
        self.definitions["links"] = _several(_ref("link"))

    def sorted(self) -> dict[str, JsonSchema]:
        """Return the definitions by name."""
        return dict(sorted(self.definitions.items()))

    def kind(self, schema: Schema[Any]) -> JsonSchema:
        """Return one Spec of a kind: the common fields, its own, and its ports."""
        body = self.group(schema.fields, schema.kind)
        common = {field.name: self.field(field, "common") for field in fields_of(Common)}
        common["kind"] = {"const": schema.kind, "description": schema.summary}
        common["ports"] = self.ports(schema)
        taken = guards_of(schema)
        common |= {
            field.name: self.field(field, "guard")
            for field in fields_of(GuardFields)
            if field.name in taken
        }
        return {
            "type": "object",
            "description": schema.summary,
            "properties": {**common, **body["properties"]},
            "required": ["kind", *body.get("required", ())],
            "additionalProperties": False,
        }

    def ports(self, schema: Schema[Any]) -> JsonSchema:
        """Return the out ports of a kind; any name where they depend on what was written."""
        ports = (*schema.outs, *LIFECYCLE)
        named = {port.name: self.links(port) for port in ports}
        indexed = {
            rf"^{port.name}\[(0|[1-9][0-9]*)\]$": self.links(port) for port in ports if port.indexed
        }
        return {
            "type": "object",
            "description": _help(Common, "ports"),
            "properties": named,
            **({"patternProperties": indexed} if indexed else {}),
            "additionalProperties": False if schema.ports is None else _ref("links"),
        }

    def links(self, port: Port) -> JsonSchema:
        """Return the targets of one out port."""
        return {"description": port.help, "allOf": [_ref("links")]} if port.help else _ref("links")

    def group(self, group: type[msgspec.Struct], owner: str) -> JsonSchema:
        """Return a mapping with these fields and no others."""
        fields = fields_of(group)
        properties = {field.name: self.field(field, owner) for field in fields}
        required = [field.name for field in fields if field.required]
        tag = tag_of(group)
        if tag is not None:
            properties = {tag[0]: {"const": tag[1]}, **properties}
            required = [tag[0], *required]
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **(_EITHER if issubclass(group, Target) else {}),
            **({"allOf": list(more)} if (more := self._conditions.get(group)) else {}),
        }

    def field(self, field: Field, owner: str) -> JsonSchema:
        """Return one field: what it accepts, its help, its default and examples."""
        shown: JsonSchema = dict(self.place(field.shape, owner))
        if "$ref" in shown:
            # What stands beside a $ref is not seen in draft-07.
            reference: JsonSchema = {"allOf": [shown]}
            shown = reference
        if field.help:
            shown["description"] = field.help + (f" ({field.unit})" if field.unit else "")
        if not field.required and field.default not in (None, msgspec.UNSET):
            shown["default"] = written(field.default)
        if field.examples:
            shown["examples"] = [written(example) for example in field.examples]
        return shown

    def place(self, shape: FieldShape, owner: str) -> JsonSchema:
        """Return what one place accepts, blanks included."""
        match shape.form:
            case "any":
                return {}
            case "null":
                return {"type": "null"}
            case "boolean":
                return {
                    "type": ["boolean", "string", "integer"],
                    "pattern": f"{_FLAG}|{_BLANK}",
                    "minimum": 0,
                    "maximum": 1,
                }
            case "integer":
                return {
                    "type": ["integer", "string"],
                    "pattern": f"{_WHOLE}|{_BLANK}",
                    **_limits(shape),
                }
            case "number":
                return {
                    "type": ["number", "string"],
                    "pattern": f"{_NUMBER}|{_BLANK}",
                    **_limits(shape),
                }
            case "string":
                return _text(shape)
            case "bytes":
                return {"type": "string"}
            case "enum":
                return _or_blank({"enum": list(shape.choices)})
            case "array":
                items = self.place(shape.items[0], owner)
                return _several(items, **_limits(shape, "Items"))
            case "mapping":
                values = self.place(shape.items[1], owner)
                return {
                    "type": ["object", "string"],
                    "pattern": _BLANK,
                    "additionalProperties": values or True,
                    **_limits(shape, "Properties"),
                }
            case "object":
                return self.nested(shape.bare, owner)
            case "custom":
                return _or_blank(self.own(shape.bare))
            case "union":
                return self.either(shape, owner)
            case "other":
                return {"type": ["string", "number"]}

    def nested(self, group: type[msgspec.Struct], owner: str) -> JsonSchema:
        """Return a reference to a nested mapping, which may hold itself."""
        name = f"{owner}.{group.__name__}"
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = _or_blank(self.group(group, owner))
        return _ref(name)

    def own(self, kind: type[FieldType]) -> JsonSchema:
        """Return what a FieldType declares, with the languages that there are."""
        if self._languages and issubclass(kind, LanguageName):
            return {"enum": self._languages}
        if self._languages and issubclass(kind, Expression):
            text, mapping = kind.json_schema["anyOf"]
            properties = mapping["properties"]
            language = {**properties["language"], "enum": self._languages}
            return {
                "anyOf": [text, {**mapping, "properties": {**properties, "language": language}}]
            }
        return dict(kind.json_schema)

    def either(self, shape: FieldShape, owner: str) -> JsonSchema:
        """Any member of a union; null joins the types of a plain member."""
        members = [self.place(item, owner) for item in shape.items if item.form != "null"]
        null = len(members) < len(shape.items)
        if len(members) == 1 and null:
            return _or_null(members[0])
        return {"anyOf": [*members, *([{"type": "null"}] if null else [])]}


def _or_null(schema: JsonSchema) -> JsonSchema:
    """Return the same, or null."""
    if not schema:
        return {}
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return {**schema, "type": [*types, "null"]}
    if set(schema) == {"anyOf"}:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def _or_blank(schema: JsonSchema) -> JsonSchema:
    """Return the same, or a text with a blank."""
    blank = {"type": "string", "pattern": _BLANK}
    if schema.get("type") == "object":
        return {**schema, "type": ["object", "string"], "pattern": _BLANK}
    kinds = schema.get("type", ())
    limited = {"pattern", "enum", "maxLength"} & set(schema) or schema.get("minLength", 0) > 1
    if not schema or ("string" in kinds and not limited):
        return schema
    if set(schema) == {"anyOf"}:
        return {"anyOf": [*schema["anyOf"], blank]}
    return {"anyOf": [schema, blank]}


def _several(item: JsonSchema, **limits: Any) -> JsonSchema:
    """Return a list of items, or a single item, or a blank."""
    # Told apart by `if`: with `anyOf` an editor cannot say which of the two was meant.
    return {
        "if": {"type": "array"},
        "then": {"type": "array", "items": item or True, **limits},
        "else": _or_blank(item) if "$ref" not in item else item,
    }


def _text(shape: FieldShape) -> JsonSchema:
    """Text with its limits, or with a blank."""
    shown: JsonSchema = {"type": "string"}
    pattern = shape.limit("pattern")
    lengths = _limits(shape, "Length")
    if pattern is not None:
        shown["pattern"] = pattern if lengths else f"(?:{pattern})|{_BLANK}"
    if lengths.get("minLength") == 1 and len(lengths) == 1 and pattern is None:
        return {**shown, **lengths}
    return _or_blank({**shown, **lengths}) if lengths else shown


def _limits(shape: FieldShape, subject: str = "") -> JsonSchema:
    """Return the limits of numbers, or of the length of something."""
    if subject:
        data = {
            f"min{subject}": shape.limit("min_length"),
            f"max{subject}": shape.limit("max_length"),
        }
    else:
        data = {
            "minimum": shape.limit("ge"),
            "exclusiveMinimum": shape.limit("gt"),
            "maximum": shape.limit("le"),
            "exclusiveMaximum": shape.limit("lt"),
        }
    return {name: limit for name, limit in data.items() if limit is not None}


def _ref(name: str) -> JsonSchema:
    return {"$ref": "#/definitions/" + name.replace("~", "~0").replace("/", "~1")}


def _help(group: type[msgspec.Struct], name: str) -> str:
    return next(field.help for field in fields_of(group) if field.name == name)
