"""Types of answers: a map that is read as more than data, by its keys, may be data that has these keys."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from heddle.runtime.assembly.flow_graph import FlowGraph, graph_problem, quoted
from heddle.runtime.assembly.graph_codes import ANSWER_SHAPE
from heddle.runtime.assembly.link_types import PortTypes
from heddle.schemas.errors import SpecError
from heddle.schemas.port import find_port
from heddle.schemas.problem import Problem
from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.words import listed

_DEEPEST = 8


def check_answer_types(graph: FlowGraph, types: PortTypes) -> Iterator[Problem]:
    """Yield a hint for each node whose answers are now read as data, and now as more, by the keys that they have.

    A type that is not known whole is none of them, and neither is one whose maps are all read alike.
    """
    for node in graph.parts:
        schema = graph.schema(node)
        fields = None if schema is None or schema.reads is None else graph.fields(node)
        if schema is None or schema.reads is None or fields is None:
            continue
        names = frozenset(schema.reads(fields))
        if not names:
            continue
        spec = graph.spec(node)
        for end in _ends(graph, node, schema.asks):
            if _is_mixed(types.sent_by(end, "out"), names):
                yield graph_problem(
                    ANSWER_SHAPE,
                    graph.spec(end),
                    (),
                    f"maps that {quoted(graph.spec(end))} answers are data or responses, by their keys",
                    f"maps of one sort: {quoted(spec)} takes those that have only {listed(sorted(names))} "
                    "for responses",
                    "Write `answer: data` at the listener, and make responses with `respond`",
                )


def _ends(graph: FlowGraph, node: UUID, ports: tuple[str, ...]) -> Iterator[UUID]:
    """Yield the nodes whose `out` is the answer to what a node asks by these ports."""
    todo = [edge for edge in graph.leaving.get(node, ()) if edge.out in ports]
    seen: set[tuple[UUID, str]] = set()
    while todo:
        edge = todo.pop()
        end = (edge.target, edge.port)
        schema = graph.schema(edge.target)
        if end in seen or schema is None or not schema.answers or schema.detached:
            continue
        seen.add(end)
        ways = graph.ways(*end)
        leaving = [each for each in graph.leaving.get(edge.target, ()) if each.out in ways]
        todo += leaving
        if (
            "out" in ways
            and not any(each.out == "out" for each in leaving)
            and _has_out(graph, edge.target)
        ):
            yield edge.target


def _has_out(graph: FlowGraph, node: UUID) -> bool:
    """Return whether a node has a port `out` of its own."""
    schema = graph.schema(node)
    if schema is None or graph.parts[node].held:
        return False
    try:
        outs = schema.ports_of(graph.fields(node) if schema.ports is not None else None)[1]
    except SpecError:
        return False
    return find_port(outs, "out") is not None


def _is_mixed(sent: Any, names: frozenset[str]) -> bool:
    """Return whether some maps of a type may have only these names, and others have more or none of them."""
    if not isinstance(sent, Mapping):
        return False
    envelope = {
        "type": "object",
        "properties": dict.fromkeys(names, True),
        "additionalProperties": False,
    }
    named, other = False, False
    for shape in _shapes(sent, sent, 0):
        if not isinstance(shape, Mapping) or not _is_known(shape):
            return False
        if shape.get("type") != "object":
            continue
        fit = compare_types({**shape, **_definitions(sent)}, envelope)
        named = named or (fit is not Fit.UNFIT and not names.isdisjoint(shape["properties"]))
        other = other or fit is not Fit.FITS
    return named and other


def _is_known(shape: Mapping[str, Any]) -> bool:
    """Return whether all is known of a shape: the type of what is not a map, and the names of a map."""
    if shape.get("type") == "object":
        return isinstance(shape.get("properties"), Mapping) and (
            shape.get("additionalProperties") is False or bool(shape.get("required"))
        )
    return "type" in shape or "const" in shape or "enum" in shape


def _shapes(schema: Any, root: Any, depth: int) -> Iterator[Any]:
    """Yield the members of a union, at any depth; what names another schema is that one."""
    if isinstance(schema, Mapping) and depth < _DEEPEST:
        members = [each for word in ("anyOf", "oneOf") for each in schema.get(word, ())]
        reference = schema.get("$ref")
        if isinstance(reference, str):
            named = _definitions(root).get("$defs", {}).get(reference.rpartition("/")[2])
            members.append(named)
        if members:
            for member in members:
                yield from _shapes(member, root, depth + 1)
            return
    yield schema


def _definitions(root: Any) -> dict[str, Any]:
    return {"$defs": root["$defs"]} if isinstance(root, Mapping) and "$defs" in root else {}
