"""The page of a kind: what it does, its fields, its ports, a worked example.

`describe` is the page as plain data; `markdown` and `terminal` are written from it, so the docs and
`heddle kinds` say the same.
"""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from heddle.schemas.common import Common, ValueFields
from heddle.schemas.field import written
from heddle.schemas.guard import GuardFields
from heddle.schemas.port import LIFECYCLE, Port
from heddle.schemas.schema import Schema
from heddle.schemas.shape import Field, FieldShape, fields_of, tag_of
from heddle.schemas.types.type_words import describe_schema
from heddle.schemas.words import limits, plain, type_word

Page: TypeAlias = dict[str, Any]


def describe(schema: Schema[Any]) -> Page:
    """Everything that a page says of a kind, as plain data; fields in nested mappings have a path."""
    return {
        "kind": schema.kind,
        "category": schema.category,
        "summary": schema.summary,
        "fields": list(_rows(schema.fields)),
        "ports": {
            "in": [_port(port) for port in schema.ins],
            "out": [_port(port) for port in schema.outs],
            "depends": schema.ports is not None,
        },
        "example": textwrap.dedent(schema.example).strip("\n"),
        "details": textwrap.dedent(schema.details).strip(),
    }


def markdown(schema: Schema[Any]) -> str:
    """Return the docs page of a kind."""
    page = describe(schema)
    parts = [f"# {page['kind']}", page["summary"]]
    parts += ["## Fields", _table(page["fields"]) if page["fields"] else _NO_FIELDS]
    parts += ["## Ports", _ports_table(page["ports"])]
    if page["example"]:
        parts += ["## Example", f"```yaml\n{page['example']}\n```"]
    if page["details"]:
        parts += ["## Details", page["details"]]
    return "\n\n".join(parts) + "\n"


def gaps(schema: Schema[Any]) -> list[str]:
    """Return what the declaration leaves unsaid: fields and ports without help, a missing example."""
    page = describe(schema)
    bare = [f"the field {row['path']} has no help" for row in page["fields"] if not row["help"]]
    for way in ("in", "out"):
        ports = page["ports"][way]
        bare += [f"the {way} port {port['name']} has no help" for port in ports if not port["help"]]
    return bare + [
        f"there is no {part}" for part in ("summary", "category", "example") if not page[part]
    ]


def common_page() -> str:
    """Return the docs page of the fields that every Spec has, and of Values."""
    parts = ["# Fields of every Spec", _table(list(_rows(Common)))]
    parts += ["# Fields of every Spec with in ports", _GUARD, _table(list(_rows(GuardFields)))]
    parts += ["# Fields of a Value", _table(list(_rows(ValueFields)))]
    lines = "\n".join(f"- `{port.name}`: {port.help}" for port in LIFECYCLE)
    return (
        "\n\n".join([*parts, "# Lifecycle ports", "Every kind has these out ports:", lines]) + "\n"
    )


def index(schemas: Iterable[Schema[Any]]) -> str:
    """Return the docs page that lists all kinds by category."""
    parts = ["# Kinds"]
    for category, members in by_category(schemas).items():
        lines = [f"- [{schema.kind}]({schema.kind}.md): {schema.summary}" for schema in members]
        parts += [f"## {category}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def by_category(schemas: Iterable[Schema[Any]]) -> dict[str, list[Schema[Any]]]:
    """Kinds by category, both in alphabetical order; those without one stand last, under `other`."""
    groups: dict[str, list[Schema[Any]]] = {}
    order = sorted(schemas, key=lambda schema: (not schema.category, schema.category, schema.kind))
    for schema in order:
        groups.setdefault(schema.category or "other", []).append(schema)
    return groups


def terminal(schema: Schema[Any], width: int = 80) -> str:
    """Return the page as plain text for a terminal of this width."""
    page = describe(schema)
    lines = [*_wrapped(f"{page['kind']}: {page['summary']}", width), "", "Fields"]
    for field in page["fields"]:
        lines += _field_lines(field, width)
    if not page["fields"]:
        lines.append("  none of its own")
    lines += ["", "Ports", *_port_lines(page["ports"], width)]
    if page["example"]:
        lines += ["", "Example", *textwrap.indent(page["example"], "  ").splitlines()]
    if page["details"]:
        lines += [
            "",
            *(line for part in _paragraphs(page["details"]) for line in _wrapped(part, width)),
        ]
    return "\n".join(lines) + "\n"


def _paragraphs(markdown: str) -> Iterator[str]:
    """Markdown as lines to wrap: a paragraph is one, and so is each line of a list, table or block."""
    fenced = False
    open_lines: list[str] = []
    for line in markdown.splitlines():
        fence = line.startswith("```")
        if fenced or fence or not line.strip() or line[0] in "|-*# >" or line[:1].isdigit():
            if open_lines:
                yield " ".join(open_lines)
                open_lines = []
            yield line
            fenced = fenced != fence
        else:
            open_lines.append(line.strip())
    if open_lines:
        yield " ".join(open_lines)


_GUARD = """\
They are limits round what the node itself does. For nodes that look at answers (`pipe`, `try`, `for`, \
`retry`, `call`) that is everything until they answer; for any other it ends when the packet goes on. A \
process is inside only once, however often its packets come by. Waiting for a turn takes no time off \
`timeout`, and each attempt has all of it. What fails goes to `error`; with `keep_packet` the packet goes along, so \
that a dead letter keeps what was lost. A kind that has a field of one of \
these names means its own by it. Where they are left out they cost nothing."""

_NO_FIELDS = "None of its own; see the fields of every Spec."


def _rows(
    group: type[msgspec.Struct], prefix: str = "", above: tuple[type, ...] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the fields of a mapping, and under each those nested in it: `routes[].method`."""
    tag = tag_of(group)
    if tag is not None:
        yield {
            "path": prefix + tag[0],
            "type": str(tag[1]),
            "required": True,
            "help": "Which sort it is.",
        }
    for field in fields_of(group):
        path = prefix + field.name
        yield _row(field, path)
        for inner, nested in _nested(field.shape, path):
            if inner not in (*above, group):
                yield from _rows(inner, nested + ".", (*above, group))


def _row(field: Field, path: str) -> dict[str, Any]:
    """Return one field as plain data; what does not apply is left out."""
    row: dict[str, Any] = {"path": path, "type": type_word(field.shape), "required": field.required}
    if not field.required and field.default not in (None, [], {}, (), msgspec.UNSET):
        row["default"] = written(field.default)
    text = limits(field.shape) or ", ".join(
        filter(None, (limits(item) for item in field.shape.items))
    )
    if text:
        row["limits"] = text
    if field.unit:
        row["unit"] = field.unit
    if field.examples:
        row["examples"] = [written(example) for example in field.examples]
    row["help"] = field.help
    return row


def _nested(shape: FieldShape, path: str) -> Iterator[tuple[type[msgspec.Struct], str]]:
    """Yield the mappings inside a field, with the way to them."""
    if shape.form == "object":
        yield shape.bare, path
    elif shape.form == "array":
        yield from _nested(shape.items[0], path + "[]")
    elif shape.form == "mapping":
        yield from _nested(shape.items[1], path + ".*")
    elif shape.form == "union":
        for item in shape.items:
            yield from _nested(item, path)


def _port(port: Port) -> dict[str, Any]:
    """Return one port as plain data; its type and `required` are left out if they say nothing."""
    row: dict[str, Any] = {"name": port.name, "indexed": port.indexed, "help": port.help}
    if port.schema is not None:
        row["type"] = describe_schema(port.schema)
    if port.required:
        row["required"] = True
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table of fields."""
    lines = ["| field | type | default | what it says |", "|---|---|---|---|"]
    for row in rows:
        default = (
            "must be written"
            if row["required"]
            else _code(row["default"])
            if "default" in row
            else ""
        )
        lines.append(
            f"| `{row['path']}` | {_cell(_type(row))} | {_cell(default)} | {_cell(_help_text(row))} |"
        )
    return "\n".join(lines)


def _ports_table(ports: dict[str, Any]) -> str:
    """Return a Markdown table of ports."""
    typed = any(_port_type(port) for way in ("in", "out") for port in ports[way])
    lines = ["| port | | type | what for |", "|---|---|---|---|"] if typed else []
    lines = lines or ["| port | | what for |", "|---|---|---|"]
    for way in ("in", "out"):
        for port in ports[way]:
            type_ = f"{_cell(_port_type(port))} | " if typed else ""
            lines.append(f"| `{_shown(port)}` | {way} | {type_}{_cell(port['help'])} |")
    text = _SAID_PORTS if ports["depends"] else ""
    return (
        text if len(lines) == 2 else "\n".join(lines) + (f"\n\n{text}" if text else "")
    ) or "None."


_SAID_PORTS = "Its ports depend on what is written."


def _field_lines(row: dict[str, Any], width: int) -> list[str]:
    """Return a field for the terminal: a head line, and its help under it."""
    if row["required"]:
        tail = ", must be written"
    else:
        tail = f", default {plain(row['default'])}" if "default" in row else ""
    head = f"  {row['path']} ({_type(row)}{tail})"
    return [head, *_wrapped(_help_text(row), width, "      ")]


def _port_lines(ports: dict[str, Any], width: int) -> list[str]:
    """Ports for the terminal."""
    lines: list[str] = []
    for way in ("in", "out"):
        for port in ports[way]:
            help_ = f": {port['help']}" if port["help"] else ""
            type_ = f" ({_port_type(port)})" if _port_type(port) else ""
            lines += _wrapped(f"{way:>3} {_shown(port)}{type_}{help_}", width, "  ", "        ")
    if ports["depends"]:
        lines.append(f"  {_SAID_PORTS}")
    return lines or ["  none of its own"]


def _type(row: dict[str, Any]) -> str:
    """Return the type with its limits and unit."""
    unit = f" ({row['unit']})" if "unit" in row else ""
    text = f", {row['limits']}" if "limits" in row else ""
    return f"{row['type']}{unit}{text}"


def _help_text(row: dict[str, Any]) -> str:
    """Return the help with its examples."""
    if "examples" not in row:
        return str(row["help"])
    shown = ", ".join(_code(example) for example in row["examples"])
    return f"{row['help']} For example {shown}.".strip()


def _port_type(port: dict[str, Any]) -> str:
    """Return the type of a port, and whether a packet has to come to it; nothing if neither is stated."""
    needed = "required" if port.get("required") else ""
    return ", ".join(filter(None, (str(port.get("type", "")), needed)))


def _shown(port: dict[str, Any]) -> str:
    """`out[0], out[1], …` for an indexed port."""
    name = port["name"]
    return f"{name}[0], {name}[1], …" if port["indexed"] else str(name)


def _code(value: Any) -> str:
    return f"`{plain(value)}`"


def _cell(text: str) -> str:
    """Text that may stand in a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most this width; an empty text is no line when indented."""
    if not text:
        return [] if first else [""]
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
