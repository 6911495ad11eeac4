"""Random Specs and Values of few names, many of which do not fit together: for laws that hold for all of them."""

from typing import Any

from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.stores.contract_story import spec, value

NAMES = ("a", "b", "c", "d", "e", "f")
VALUES = ("v", "w")
KINDS = (
    "nop",
    "snippet",
    "call",
    "hold",
    "define",
    "use",
    "tasks",
    "flow",
    "flow-use",
    "store",
    "listen",
)
PORTS = (8101, 8102)

names = st.sampled_from(NAMES)
targets = st.one_of(
    st.builds(Link, name=names, port=st.sampled_from(["in", "in", "inn"])),
    st.builds(Link, name=st.builds("{}/inner".format, names)),
    names.map(lambda name: Link(id=named_id("spec", "default", name))),
)


@st.composite
def specs(draw: Any) -> Spec:
    """Return a Spec of some kind with links, bonds and what it uses, much of which is not there or is wrong."""
    name = draw(names)
    links = tuple(draw(st.lists(targets, max_size=2)))
    out = {"out": links} if links else {}
    env = {"X": Binding(name=draw(st.sampled_from(VALUES)))} if draw(st.booleans()) else {}
    blank = "{{ X }}" if env else "text"
    kind = draw(st.sampled_from(KINDS))
    inner = {"kind": "call", "name": "inner", "target": "inner2"}
    holds: dict[str, Any] = {
        "specs": [
            {"kind": "nop", "name": "inner", "ports": {"out": [{"name": "inner2", "port": "in"}]}},
            {"kind": "snippet", "name": "inner2", "language": "text", "code": blank},
        ],
        "inbounds": {"in": [{"name": "inner", "port": "in"}]},
        "outbounds": {"out": [{"name": "inner2", "port": "out"}]},
    }
    params = {"P": {"type": "string"}}
    match kind:
        case "nop":
            return spec(name, "nop", ports=out, env=env, fields=draw(wrong))
        case "snippet":
            return spec(
                name, "snippet", ports=out, env=env, fields={"language": "text", "code": blank}
            )
        case "call":
            target = draw(st.one_of(names, st.just(blank)))
            return spec(name, "call", ports=out, env=env, fields={"target": target})
        case "hold":
            holds["specs"].append({**inner, "name": "inner3"})
            holds["specs"][-1]["target"] = draw(names)
            return spec(name, "block", ports=out, env=env, fields=holds)
        case "define":
            return spec(name, "block", env=env, fields={**holds, "params": params})
        case "tasks" | "flow":
            work: dict[str, Any] = {"kind": "snippet", "language": "text", "code": blank}
            if draw(st.booleans()):
                work = {"kind": "snippet", "language": "text", "code": "{{ Y }}"}
                work["env"] = {"Y": {"name": draw(st.sampled_from(VALUES))}}
            if draw(st.booleans()):
                work = {"kind": "block", "uses": draw(names), "with": {"P": "p"}}
            fields = {"tasks": [{"name": "inner", "do": work}]}
            if kind == "flow":
                return spec(name, "workflow", env=env, fields={**fields, "params": params})
            if draw(st.booleans()):
                fields["durable"] = draw(names)
            return spec(name, "workflow", ports=out, env=env, fields=fields)
        case "flow-use":
            fields = {"uses": draw(names), "with": {"P": "p"}}
            return spec(name, "workflow", ports=out, env=env, fields=fields)
        case "store":
            return spec(name, "run-store", fields={"url": "memory://"})
        case "listen":
            # It leads to nobody, so it waits: only what it claims counts.
            absent = {"out": (Link(name="nobody"),)}
            port = draw(st.sampled_from(PORTS))
            return spec(name, "listener", ports=absent, fields={"port": port})
        case _:
            fields = {"uses": draw(names), "with": {"P": "p"}}
            return spec(name, "block", ports=out, env=env, fields=fields)


wrong = st.sampled_from([{}, {}, {}, {"colour": "red"}])
values = st.builds(value, st.sampled_from(VALUES), st.sampled_from(["a", "b", 1]))
resources = st.one_of(specs(), specs(), values)


@st.composite
def listeners(draw: Any) -> Spec:
    """Return a listener that may lead to somebody: for laws of what is checked and does not run."""
    links = tuple(draw(st.lists(targets, min_size=1, max_size=2)))
    fields = {"port": draw(st.sampled_from(PORTS))}
    return spec(draw(names), "listener", ports={"out": links}, fields=fields)


checked = st.one_of(specs(), specs(), values, listeners())
