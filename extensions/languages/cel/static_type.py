"""The type that a CEL expression gives, as far as that shows without a payload."""

from typing import Any, Final

from heddle.extensions.languages.cel.library import LIBRARY
from heddle.extensions.languages.cel.parser import parse
from heddle.extensions.languages.cel.syntax import (
    Binary,
    CallExpression,
    Entries,
    Has,
    Items,
    Literal,
    Logic,
    Method,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from heddle.extensions.languages.cel.tokens import CelSource

Json = dict[str, Any]

_NUMBER: Final[Json] = {"type": "number"}
_STRING: Final[Json] = {"type": "string"}
_BOOLEAN: Final[Json] = {"type": "boolean"}

_TYPES: Final[dict[str, Json]] = {
    "int": {"type": "integer"},
    "uint": {"type": "integer"},
    "double": _NUMBER,
    "string": _STRING,
    "bool": _BOOLEAN,
    "null_type": {"type": "null"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "list": {"type": "array"},
    "map": {"type": "object"},
    "type": _STRING,
}
"""The types of the values of CEL once they have left the program."""

_MACROS: Final[dict[str, Json]] = {
    "all": _BOOLEAN,
    "exists": _BOOLEAN,
    "exists_one": _BOOLEAN,
    "existsOne": _BOOLEAN,
    "map": {"type": "array"},
}

_COMPARES: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})

_DEEPEST: Final = 40


def type_of(code: str) -> Json:
    """Return the JSON Schema of what the expression gives; `{}` if it is not known.

    CompileError if it is not an expression.
    """
    try:
        return _type_of(parse(CelSource(code)), 0)
    except RecursionError:
        return {}


def _type_of(node: Node, depth: int) -> Json:
    if depth > _DEEPEST:
        return {}
    match node:
        case Literal():
            return _literal(node)
        case Logic() | Has():
            return _BOOLEAN
        case Unary():
            return _BOOLEAN if node.op == "!" else _number_of(_type_of(node.head, depth + 1))
        case Binary():
            return _binary(node, depth)
        case Ternary():
            return _either(_type_of(node.yes, depth + 1), _type_of(node.no, depth + 1))
        case Items():
            return _items(node, depth)
        case Entries():
            return _entries(node, depth)
        case CallExpression():
            return _call(node.name, False, len(node.args))
        case Method():
            return _method(node)
        case _:
            return {}


def _literal(node: Literal) -> Json:
    if node.type in ("int", "uint", "string", "bool", "null_type"):
        value = int(node.value) if node.type == "uint" else node.value
        return {"const": value}
    return _TYPES.get(node.type, {})


def _kind(schema: Json) -> str:
    """Return the JSON type that a schema has for sure; "" if there are several."""
    if "const" in schema:
        value = schema["const"]
        names = {bool: "boolean", int: "integer", str: "string"}
        return names.get(type(value), "null")
    name = schema.get("type", "")
    return name if isinstance(name, str) else ""


def _number_of(schema: Json) -> Json:
    return _NUMBER if _kind(schema) in ("integer", "number") else {}


def _binary(node: Binary, depth: int) -> Json:
    if node.op in _COMPARES:
        return _BOOLEAN
    left, right = _type_of(node.head, depth + 1), _type_of(node.right, depth + 1)
    kinds = {_kind(left), _kind(right)}
    if kinds == {"integer"}:
        return {"type": "integer"}
    if kinds & {"integer", "number"}:
        # A number goes together with a number; everything else is an error.
        return _NUMBER
    if node.op == "+" and "string" in kinds and "contentEncoding" not in {**left, **right}:
        return _STRING
    return {"type": "array"} if node.op == "+" and "array" in kinds else {}


def _either(yes: Json, no: Json) -> Json:
    if not yes or not no:
        return {}
    return yes if yes == no and _kind(yes) == _kind(no) else {"anyOf": [yes, no]}


def _items(node: Items, depth: int) -> Json:
    if node.optional:
        return {"type": "array"}
    parts = [_type_of(item, depth + 1) for item in node.items]
    count = len(parts)
    fixed: Json = {"type": "array", "minItems": count, "maxItems": count}
    return {**fixed, "prefixItems": parts} if parts else fixed


def _entries(node: Entries, depth: int) -> Json:
    properties: dict[str, Json] = {}
    for number, (key, value) in enumerate(node.entries):
        if not isinstance(key, Literal) or key.type != "string" or number in node.optional:
            return {"type": "object"}
        properties[key.value] = _type_of(value, depth + 1)
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _call(name: str, method: bool, arity: int) -> Json:
    function = LIBRARY.find(name, method, arity)
    return _TYPES.get(function.result, {}) if function is not None else {}


def _method(node: Method) -> Json:
    """Return the type of a method, a macro, or a function with a dotted name (`math.greatest`)."""
    head = node.head
    if isinstance(head, Name | Select):
        spelled = f"{head.name}.{node.name}" if isinstance(head, Name) else ""
        if spelled in LIBRARY:
            return _call(spelled, False, len(node.args))
    if node.name in _MACROS:
        return _MACROS[node.name]
    return _call(node.name, True, len(node.args) + 1)
