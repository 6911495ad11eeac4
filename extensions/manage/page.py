"""The reference page of the API, written from its description."""

from collections.abc import Mapping
from typing import Any

from heddle.schemas.ascii import lower, upper

MARK = "<!-- What follows is written by heddle.extensions.manage.page; change the operations instead. -->"
"""Stands in the page before the part that is written from the operations."""

_METHODS = ("get", "post", "put", "patch", "delete")


def refreshed(page: str, document: Mapping[str, Any]) -> str:
    """Return the page with its written part made anew; raise ValueError if the mark is missing."""
    kept, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK}")
    return f"{kept}{MARK}\n\n{reference(document)}"


def reference(document: Mapping[str, Any]) -> str:
    """Return every operation with what it takes and answers, and the shapes of bodies, as Markdown."""
    parts: list[str] = []
    for tag in document["tags"]:
        parts.append(f"## {tag['name']}")
        for path, methods in document["paths"].items():
            for method in _METHODS:
                value = methods.get(method)
                if value is not None and tag["name"] in value["tags"]:
                    parts.append(_operation(method, path, value))
    parts.append("## Shapes")
    parts += [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "\n\n".join(parts) + "\n"


def _operation(method: str, path: str, data: Mapping[str, Any]) -> str:
    parts = [f"### {upper(method)} {path}", f"{data['summary']}."]
    if "description" in data:
        parts.append(data["description"])
    rows = [
        f"| `{value['name']}` | {value['in']} | {_type(value['schema'])} | {value['description']} |"
        for value in data.get("parameters", ())
        if value["in"] != "path"
    ]
    if rows:
        parts.append("\n".join(["| parameter | in | type | |", "|---|---|---|---|", *rows]))
    body = data.get("requestBody")
    if body is not None:
        media = " or ".join(f"`{name}`" for name in body["content"])
        schema = next(iter(body["content"].values()))["schema"]
        parts.append(f"Body: {_type(schema)} ({media}). {body['description']}")
    outcomes = ["| status | body | |", "|---|---|---|"]
    rejected: list[str] = []
    for status, value in data["responses"].items():
        content = value.get("content", {})
        if "application/problem+json" in content:
            rejected.append(status)
            continue
        schema = next(iter(content.values()))["schema"] if content else None
        shown = _type(schema) if schema is not None else "none"
        outcomes.append(f"| {status} | {shown} | {value['description']} |")
    parts.append("\n".join(outcomes))
    if rejected:
        parts.append(f"Rejections: {', '.join(rejected)}.")
    return "\n\n".join(parts)


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    parts = [f"### {name}"]
    if schema.get("description"):
        parts.append(schema["description"].rstrip())
    required = schema.get("required", ())
    rows = [
        f"| `{field}` | {_type(value)} | {'yes' if field in required else ''} | "
        f"{value.get('description', '')} |"
        for field, value in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append("\n".join(["| field | type | always | |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words, with a link if it is one of the shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{lower(name)})"
    many = schema.get("anyOf")
    if many:
        return " or ".join(dict.fromkeys(_type(value) for value in many))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        inner = schema.get("items")
        return f"list of {_type(inner)}" if isinstance(inner, Mapping) else "list"
    words = {"object": "map", "integer": "whole number", "string": "text", "boolean": "flag"}
    return words.get(kind, kind) if isinstance(kind, str) else " or ".join(kind)
