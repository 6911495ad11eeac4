"""heddle check asks the graph of the links: what nothing leads to, what never answers, merges or ends."""

import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.extensions.manage.system import shipped
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.graph_check import check_graph
from heddle.runtime.assembly.graph_codes import GRAPH_CODES
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import ReadText, read_path, read_text
from tests.cli.support import heddle, ran_json
from tests.docs.fences import ROOT, every

LISTENER = "- {kind: listener, name: web, port: 0, ports: {out: {name: a}}}\n"
TIMER = "- {kind: timer, name: tick, interval: 1s, ports: {out: {name: a}}}\n"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return installed(settings_of(None, ()))


def asked(reading: ReadText, registry: Registry) -> list[Problem]:
    """Return what the graph of some Specs is warned of."""
    checked = check_specs(
        reading.specs, ValueSet(reading.values), registry, partial=reading.invalid
    )
    return check_graph(checked.parts, registry.scheme.schema, whole=not reading.problems)


def snippet(name: str, *targets: str, **ports: str) -> str:
    links = [f"out: [{', '.join(f'{{name: {one}}}' for one in targets)}]"] if targets else []
    links += [f"{port}: {{name: {target}}}" for port, target in ports.items()]
    more = f", ports: {{{', '.join(links)}}}" if links else ""
    return f"- {{kind: snippet, name: {name}, language: cel, code: self{more}}}\n"


def kind(kind: str, name: str, more: str = "", **ports: str) -> str:
    links = ", ".join(f"'{port}': {{name: {target}}}" for port, target in ports.items())
    return f"- {{kind: {kind}, name: {name}{more and ', ' + more}, ports: {{{links}}}}}\n"


def block(name: str, inner: str, inbounds: str = "", outbounds: str = "", **ports: str) -> str:
    links = ", ".join(f"{port}: {{name: {target}}}" for port, target in ports.items())
    return (
        f"- kind: block\n  name: {name}\n  specs:\n"
        + "".join(f"    {line}\n" for line in inner.splitlines())
        + f"  inbounds: {{{inbounds}}}\n  outbounds: {{{outbounds}}}\n  ports: {{{links}}}\n"
    )


HTTP = "url: 'http://127.0.0.1:9'"

WRONG = {
    "a node beside": (LISTENER + snippet("a") + snippet("b"), "dead-node b"),
    "a node beside open blanks": (
        "- {kind: listener, name: web, port: '{{ .PORT }}', env: {PORT: {data: '{{ .PORT }}'}}, "
        "ports: {out: {name: a}}}\n" + snippet("a") + snippet("b"),
        "dead-node b",
    ),
    "only nop behind open blanks": (
        (
            "- {kind: listener, name: web, port: '{{ .PORT }}', env: {PORT: {data: '{{ .PORT }}'}}, "
            "ports: {out: {name: a}}}\n- {kind: nop, name: a}\n"
        ),
        "no-answer web.ports.out",
    ),
    "a chain beside": (LISTENER + snippet("a") + snippet("b", "c") + snippet("c"), "dead-node b"),
    "two chains": (
        LISTENER + snippet("a") + snippet("b") + snippet("c"),
        "dead-node b, dead-node c",
    ),
    "a cycle beside": (
        LISTENER + snippet("a") + kind("if", "b", "when: self.n > 1", out="c") + snippet("c", "b"),
        "dead-node b",
    ),
    "a node that leads in": (TIMER + snippet("a") + snippet("b", "a"), "dead-node b"),
    "an unlinked websocket": (
        LISTENER + snippet("a") + kind("websocket", "ws", message="a"),
        "dead-node ws",
    ),
    "a file that reads": (
        TIMER + snippet("a") + "- {kind: file, name: f, op: read, root: /tmp}\n",
        "dead-node f",
    ),
    "an unlinked block": (
        LISTENER + snippet("a") + block("b", snippet("x"), "in: [{name: x}]"),
        "dead-node b",
    ),
    "a node in a block": (
        LISTENER + block("a", snippet("x") + snippet("y"), "in: [{name: x}]"),
        "dead-node a/y",
    ),
    "a listener alone": (kind("listener", "web", "port: 0"), "no-answer web"),
    "only nop": (LISTENER + "- {kind: nop, name: a}\n", "no-answer web.ports.out"),
    "nop behind a log": (
        LISTENER + kind("log", "a", "event: x", out="n") + "- {kind: nop, name: n}\n",
        "no-answer web.ports.out",
    ),
    "nop both ways": (
        LISTENER
        + kind("if", "a", "when: self.n > 1", **{"out": "n", "out[1]": "m"})
        + "- {kind: nop, name: n}\n- {kind: nop, name: m}\n",
        "no-answer web.ports.out",
    ),
    "nop by every case": (
        LISTENER
        + kind(
            "switch",
            "a",
            "matches: [{when: self.n > 1, port: out}], default: 'out[1]'",
            **{"out": "n", "out[1]": "n"},
        )
        + "- {kind: nop, name: n}\n",
        "no-answer web.ports.out",
    ),
    "nop by every route": (
        LISTENER
        + kind("router", "a", "routes: [{method: GET, path: /, port: out}]", out="n")
        + "- {kind: nop, name: n}\n",
        "no-answer web.ports.out",
    ),
    "nop in a block": (
        LISTENER + block("a", "- {kind: nop, name: x}", "in: [{name: x}]"),
        "no-answer web.ports.out",
    ),
    "messages to nop": (
        LISTENER + kind("websocket", "a", message="n") + "- {kind: nop, name: n}\n",
        "no-answer a.ports.message",
    ),
    "two sources into one merge": (
        (
            "- {kind: listener, name: web, port: 0, ports: {out: {name: m}}}\n"
            "- {kind: timer, name: tick, interval: 1s, ports: {out: {name: m, port: 'in[1]'}}}\n"
            "- {kind: merge, name: m}\n"
        ),
        "never-merged m",
    ),
    "an Error into itself": (
        TIMER + kind("http", "a", HTTP, error="a"),
        "error-loop a.ports.error",
    ),
    "an Error by a log": (
        TIMER + kind("http", "a", HTTP, error="l") + kind("log", "l", "event: x", out="a"),
        "error-loop a.ports.error",
    ),
    "two that help each other": (
        TIMER + kind("http", "a", HTTP, error="b") + kind("http", "b", HTTP, error="a"),
        "error-loop a.ports.error",
    ),
    "an Error of a try": (
        TIMER + kind("try", "a", out="b", error="a") + snippet("b"),
        "error-loop a.ports.error",
    ),
    "an Error out of a block": (
        TIMER
        + block(
            "a",
            kind("http", "x", HTTP),
            "in: [{name: x}]",
            "error: [{name: x, port: error}]",
            error="a",
        ),
        "error-loop a.ports.error",
    ),
    "one case twice": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: self.n > 1, port: out}, {when: 'self.n  >  1', port: 'out[1]'}]",
        ),
        "unreached a.matches[1]",
    ),
    "a wider case before": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: self > 10, port: out}, {when: self > 100, port: 'out[1]'}]",
        ),
        "unreached a.matches[1]",
    ),
    "one case twice in another language": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: {language: javascript, code: self.a === 1}, port: out}, "
            "{when: {language: javascript, code: self.a === 1}, port: out}]",
        ),
        "unreached a.matches[1]",
    ),
    "an Error out of a step": (
        TIMER + "- kind: step\n  name: a\n  specs: [{kind: http, url: 'http://127.0.0.1:9'}]\n"
        "  ports: {error: {name: a}}\n",
        "error-loop a.ports.error",
    ),
    "a wider call before": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: size(self.a) >= 1, port: out}, {when: size(self.a) == 3, port: out}]",
        ),
        "unreached a.matches[1]",
    ),
    "a part of it before": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: self.a == 'x', port: out}, {when: self.b && self.a == 'x', port: 'out[1]'}]",
        ),
        "unreached a.matches[1]",
    ),
    "everything before": (
        TIMER
        + kind(
            "switch",
            "a",
            "matches: [{when: 'true', port: out}, {when: self > 1, port: out}], default: 'out[1]'",
        ),
        "unreached a.matches[1], unreached a.default",
    ),
    "never": (
        TIMER + kind("switch", "a", "matches: [{when: false, port: out}]"),
        "unreached a.matches[0]",
    ),
    "a port without a case": (
        TIMER
        + kind("switch", "a", "matches: [{when: self > 1, port: out}]", **{"out[1]": "b"})
        + snippet("b"),
        "unreached a.ports.out[1]",
    ),
    "an if that is always true": (
        TIMER + kind("if", "a", "when: true", **{"out[1]": "b"}) + snippet("b"),
        "unreached a.ports.out[1]",
    ),
    "a port without a route": (
        LISTENER
        + kind(
            "router",
            "a",
            "routes: [{method: GET, path: /, port: out}]",
            **{"out": "b", "out[2]": "b"},
        )
        + snippet("b"),
        "unreached a.ports.out[2]",
    ),
    "a query in a path": (
        LISTENER
        + kind("router", "a", "routes: [{method: GET, path: '/a?b=1', port: out}]", out="b")
        + snippet("b"),
        "unreached a.routes[0].path",
    ),
    "an encoded path": (
        LISTENER
        + kind("router", "a", "routes: [{method: GET, path: '/a%20b', port: out}]", out="b")
        + snippet("b"),
        "unreached a.routes[0].path",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_check_warns_with_a_place_and_a_fix(registry: Registry, name: str) -> None:
    text, wanted = WRONG[name]
    reading = read_text(text, file="flow.yaml")
    assert not reading.problems
    problems = asked(reading, registry)
    assert ", ".join(sorted(f"{one.code} {one.path}" for one in problems)) == ", ".join(
        sorted(wanted.split(", "))
    )
    for problem in problems:
        assert problem.code in GRAPH_CODES
        assert problem.place.line
        assert problem.hint


RIGHT = {
    "a program sends": snippet("a") + snippet("b"),
    "a test sends": snippet("a") + "- {kind: test, name: t, ports: {'out[0]': {name: a}}}\n",
    "a test beside a timer": TIMER
    + snippet("a")
    + snippet("b")
    + "- {kind: test, name: t, ports: {'out[0]': {name: b}}}\n",
    "annotated": TIMER
    + snippet("a")
    + "- {kind: nop, name: b, annotations: {heddle/entry: our program}}\n",
    "linked by its life": TIMER + snippet("a") + snippet("b", init="c") + snippet("c"),
    "linked by an error": LISTENER + snippet("a", error="b") + snippet("b"),
    "called": LISTENER + "- {kind: call, name: a, target: {name: b}}\n" + snippet("b"),
    "a block that begins": TIMER
    + snippet("a")
    + block("b", TIMER + snippet("a") + snippet("x"), "in: [{name: x}]"),
    "a definition": TIMER
    + snippet("a")
    + "- {kind: block, name: d, params: {n: {type: integer, default: 1}}, specs: [{kind: nop, name: x}], "
    "inbounds: {in: [{name: x}]}}\n",
    "a call of what is not known": LISTENER
    + "- {kind: call, name: a, target: {name: '{{ .WHO }}'}, env: {WHO: {data: '{{ .WHO }}'}}}\n"
    + snippet("b"),
    "a link to what comes later": LISTENER + snippet("a", "later") + snippet("b"),
    "an unknown kind": LISTENER + snippet("a") + "- {kind: mine, name: b}\n",
    "another namespace": LISTENER + snippet("a") + "- {kind: nop, name: n, namespace: other}\n",
    "nop one way": LISTENER
    + kind("if", "a", "when: self.n > 1", out="n")
    + "- {kind: nop, name: n}\n",
    "nop beside an answer": "- {kind: listener, name: web, port: 0, ports: {out: [{name: a}, {name: n}]}}\n"
    + snippet("a")
    + "- {kind: nop, name: n}\n",
    "answered at once": LISTENER + kind("fork", "a", out="n") + "- {kind: nop, name: n}\n",
    "a websocket that only says": LISTENER + kind("websocket", "a"),
    "a timer that drops": TIMER + "- {kind: nop, name: a}\n",
    "one source into a merge": "- {kind: listener, name: web, port: 0, ports: {out: {name: s}}}\n"
    "- {kind: split, name: s, ports: {'out[0]': {name: m}, 'out[1]': {name: m, port: 'in[1]'}}}\n"
    "- {kind: merge, name: m}\n",
    "two sources, each into all of it": "".join(
        f"- {{kind: timer, name: {name}, interval: 1s, "
        "ports: {out: [{name: m}, {name: m, port: 'in[1]'}]}}\n"
        for name in ("one", "two")
    )
    + "- {kind: merge, name: m}\n",
    "an Error with a choice": TIMER
    + kind("http", "a", HTTP, error="b")
    + kind("if", "b", "when: self.n > 1", out="a"),
    "an Error that is said": kind(
        "websocket-client", "c", "url: 'ws://127.0.0.1:9'", message="m", error="c"
    )
    + snippet("m"),
    "an Error that ends": TIMER + kind("http", "a", HTTP, error="b") + snippet("b"),
    "an Error into a pool": TIMER
    + kind("http", "a", HTTP, error="c")
    + kind("collect", "c", "count: 10", out="a"),
    "cases in order": TIMER
    + kind(
        "switch",
        "a",
        "matches: [{when: self > 100, port: out}, {when: self > 10, port: out}, {when: self < 5, port: out}]",
    ),
    "cases of other fields": TIMER
    + kind(
        "switch",
        "a",
        "matches: [{when: self.a > 10, port: out}, {when: self.b > 100, port: out}]",
    ),
    "cases that may differ": TIMER
    + kind(
        "switch",
        "a",
        "matches: [{when: self.a || self.b, port: out}, {when: self.a && self.c, port: out}]",
    ),
    "text with the sign": TIMER
    + kind(
        "switch",
        "a",
        """matches: [{when: "self.a == 'x && y'", port: out}, {when: "self.a == 'x' && self.b", port: out}]""",
    ),
    "chance": TIMER
    + kind(
        "switch",
        "a",
        "matches: [{when: {language: javascript, code: Math.random() > 0.5}, port: out}, "
        "{when: {language: javascript, code: Math.random() > 0.5}, port: out}]",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_check_leaves_what_may_be_meant_alone(registry: Registry, name: str) -> None:
    reading = read_text(RIGHT[name], file="flow.yaml")
    assert not reading.problems
    assert [str(one) for one in asked(reading, registry)] == []


def test_long_and_wide_flows_are_asked_in_no_time(registry: Registry) -> None:
    long = "".join(kind("log", f"n{i}", "event: x", out=f"n{i + 1}") for i in range(2000))
    deep = snippet("x")
    for number in range(20):
        deep = block(f"b{number}", deep, f"in: [{{name: {f'b{number - 1}' if number else 'x'}}}]")
    wide = "".join(
        f"- {{kind: log, name: w{i}, event: x, ports: {{out: [{{name: w{i + 1}}}, {{name: v{i}}}]}}}}\n"
        + kind("log", f"v{i}", "event: x", out=f"w{i + 1}")
        for i in range(60)
    )
    text = (
        "- {kind: listener, name: one, port: 0, ports: {out: {name: n0}}}\n"
        "- {kind: listener, name: two, port: 0, ports: {out: {name: w0}}}\n"
        + long
        + wide
        + "- {kind: nop, name: n2000}\n- {kind: nop, name: w60}\n"
        + deep
    )
    checked = check_specs(read_text(text).specs, ValueSet([]), registry)
    began = time.process_time()
    problems = check_graph(checked.parts, registry.scheme.schema)
    assert time.process_time() - began < 10
    assert sorted(one.path for one in problems) == ["b19", "one.ports.out", "two.ports.out"]


def _corpus(registry: Registry) -> dict[str, ReadText]:
    """Return every flow that we ship or show, by where it stands."""
    texts = {
        one.place: one.code for one in every("yaml") if not {"problem", "warned"} & set(one.words)
    }
    kinds = registry.scheme.kinds.items()
    texts |= {f"kind {name}": kind.schema.example for name, kind in kinds}
    readings = {"system": ReadText(specs=tuple(shipped()))} | {
        name: read_text(text, file="flow.yaml") for name, text in texts.items()
    }
    files = chain(
        (ROOT / "tests/uniflow").rglob("*.yaml"),
        (one for one in (ROOT / "examples").iterdir() if one.suffix != ".md"),
    )
    return readings | {str(path.relative_to(ROOT)): read_path(path) for path in files}


def test_nothing_that_we_ship_or_show_is_warned_of(registry: Registry) -> None:
    corpus = _corpus(registry)
    assert len(corpus) > 150
    warned = {name: [str(one) for one in asked(each, registry)] for name, each in corpus.items()}
    assert {name: told for name, told in warned.items() if told} == {}


# --- the command ------------------------------------------------------------------------------


def test_warnings_leave_the_exit_code_of_check_alone(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(LISTENER + snippet("a") + snippet("b"))
    result = heddle("check", file)
    assert result.exit_code == 0
    assert "warning[dead-node]" in result.output
    assert f"{file}:3:" in result.output
    assert "1 warning" in result.output
    told: Any = ran_json("check", file)
    assert told["ok"] is True
    assert [one["severity"] for one in told["problems"]] == ["warning"]


def test_an_error_beside_a_warning_fails_check(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(TIMER + kind("http", "a", HTTP + ", nonsense: 1", error="a"))
    result = heddle("check", file)
    assert result.exit_code == 1
    assert "warning[error-loop]" in result.output
    assert ran_json("check", file)["ok"] is False


def test_what_cannot_be_read_may_be_what_leads_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LISTENER + snippet("a") + snippet("b"))
    (tmp_path / "c.yaml").write_text("- {kind: snippet, name: c, ports: {out: {name: b}\n")
    assert "dead-node" not in heddle("check", tmp_path).output


def test_only_specs_with_a_warning_pay_for_networkx(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(LISTENER + snippet("a", "b", error="b") + snippet("b"))
    script = (
        "import sys\nfrom heddle import Runtime\nimport heddle.cli.main\n"
        "import heddle.runtime.assembly.check, heddle.cli.commands.check\n"
        f"heddle.cli.main.cli(['check', {str(file)!r}], standalone_mode=False)\n"
        "print('networkx' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_a_workflow_leads_to_its_tasks(registry: Registry) -> None:
    tasks = (
        "{name: rows, do: {kind: snippet, language: cel, code: '[1]'}}, "
        "{name: inner, inputs: {x: rows}, do: {kind: workflow, inputs: {x: {}}, tasks: "
        "[{name: last, do: {kind: nop}, inputs: {x: in.x}}]}}"
    )
    flow = TIMER + f"- {{kind: workflow, name: a, tasks: [{tasks}]}}\n"
    assert asked(read_text(flow, file="flow.yaml"), registry) == []
