"""block, step and call, as flows: Specs that hold others, and Specs that ask others."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import Error, node
from heddle.runtime.runtime import NoSymbolError
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Delete
from tests.clock import JUMPING
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


STEP = """
- kind: step
  name: price
  specs:
    - {kind: snippet, name: net, language: cel, code: self.net * self.count}
    - {kind: snippet, language: cel, code: self + 1}
"""


def states(rt: Any) -> dict[str, str]:
    """Return the state of every symbol, by name."""
    return {one.name or str(one.id): one.state for one in rt.status().symbols}


async def test_a_step_gives_each_what_the_one_before_sends_out() -> None:
    async with running(STEP) as rt:
        assert await rt.send("price", {"net": 4, "count": 5}) == 21
        assert states(rt) == {"price": "active", "price/net": "active", "price/$1": "active"}


async def test_a_step_of_one_is_that_one() -> None:
    flow = "- {kind: step, name: s, specs: [{kind: snippet, language: cel, code: self + 1}]}"
    async with running(flow) as rt:
        assert await rt.send("s", 1) == 2


@pytest.mark.parametrize("kind", ["step", "block"])
async def test_a_lone_spec_needs_no_list(kind: str) -> None:
    bounds = (
        "inbounds: {in: {name: one}}, outbounds: {out: {name: one}}, " if kind == "block" else ""
    )
    inner = "{kind: snippet, name: one, language: cel, code: 'self + {{ N }}', env: {N: {data: 2}}}"
    async with running(f"- {{kind: {kind}, name: it, {bounds}specs: {inner}}}") as rt:
        assert not [str(problem) for problem in rt.status().problems]
        assert await rt.send("it", 1) == 3
    wrong = inner.replace("cel", "sel")
    async with running(f"- {{kind: {kind}, name: it, {bounds}specs: {wrong}}}") as rt:
        [problem] = rt.status().problems
    assert (problem.code, problem.path) == ("unknown-language", "it/one.language")


async def test_a_step_goes_on_where_its_ports_lead() -> None:
    flow = """
- kind: step
  name: s
  specs:
    - {kind: snippet, language: cel, code: 10 / self}
    - {kind: snippet, language: cel, code: self + 1}
  ports:
    out: [{name: after, port: in}]
    error: [{name: excuse, port: in}]
- {kind: snippet, name: after, language: cel, code: "{'after': self}"}
- {kind: snippet, name: excuse, language: cel, code: "'sorry: ' + string(self)"}
- {kind: pipe, name: before, ports: {out: {name: s}}}
"""
    async with running(flow) as rt:
        assert await rt.send("before", 5) == {"after": 3}
        assert (await rt.send("before", 0)).startswith("sorry: ")


async def test_a_packet_goes_straight_to_what_is_inside() -> None:
    """One run of plain actions, as if the step were not there."""
    flow = (
        STEP + "- {kind: snippet, name: a, language: cel, code: self, ports: {out: {name: price}}}"
    )
    async with running(flow) as rt:
        symbol, inner = rt.table.get("a"), rt.table.get("price/net")
        assert symbol is not None
        assert inner is not None
        assert rt.table.wiring.targets(symbol.id, "out") == ((inner.id, "in"),)
        assert await rt.send("a", {"net": 4, "count": 5}) == 21


async def test_a_member_without_an_out_port_may_stand_last() -> None:
    flow = (
        "- {kind: step, name: s, specs: [{kind: snippet, language: text, code: x}, {kind: throw}]}"
    )
    async with running(flow) as rt:
        answer = await rt.send("s")
        assert isinstance(answer, Error)
        assert answer.message == "x"
    flow = "- {kind: step, name: s, specs: [{kind: throw}, {kind: nop}]}"
    async with running(flow) as rt:
        [problem] = rt.status().problems
    assert 'kind "throw" has no out port "out"' in str(problem)


BLOCK = """
- kind: block
  name: b
  specs:
    - kind: if
      name: pick
      when: self > 10
      ports:
        out[0]: [{name: big, port: in}]
        out[1]: [{name: small, port: in}]
    - {kind: snippet, name: big, language: cel, code: "'big'"}
    - {kind: snippet, name: small, language: cel, code: "'small'"}
  inbounds:
    in: [{name: pick, port: in}]
    direct: [{name: big}]
  outbounds:
    out: [{name: big, port: out}]
    rest: [{name: small}]
  ports:
    out: [{name: after, port: in}]
- {kind: snippet, name: after, language: cel, code: "'very ' + self"}
"""


async def test_a_block_has_the_ports_that_are_written() -> None:
    async with running(BLOCK) as rt:
        assert await rt.send("b", 11) == "very big"
        assert await rt.send("b", 10) == "small"
        assert await rt.send("b", 1, port="direct") == "very big"
        with pytest.raises(NoSymbolError):
            await rt.send("b", 1, port="rest")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{name: pick, port: in}", "{name: pik, port: in}", 'there is no "pik" inside'),
        ("{name: small, port: in}", "{name: after, port: in}", 'there is no "after" inside "b"'),
        ("name: small, language", "name: big, language", 'the name "big" is taken'),
        ("when: self > 10", "when: self >", "line"),
        ("when: self > 10", "wen: self > 10", 'Did you mean "when"'),
        ("outbounds:", "outbunds:", 'Did you mean "outbounds"'),
        ("out: [{name: after, port: in}]", "aut: [{name: after}]", 'no out port "aut"'),
        ("kind: if", "kind: iff", 'no kind "iff"'),
        ("out[1]: [{name: small", "left: [{name: small", 'has no out port "left"'),
    ],
)
async def test_a_mistake_inside_is_told_at_its_line(old: str, new: str, told: str) -> None:
    broken = BLOCK.replace(old, new, 1)
    pairs = zip(BLOCK.splitlines(), broken.splitlines(), strict=True)
    line = next(number for number, (was, now) in enumerate(pairs, 1) if was != now)
    async with running(broken) as rt:
        problems = rt.status().problems
        assert "b" not in states(rt) or states(rt)["b"] == "rejected"
    assert any(told in str(problem) or told == "line" for problem in problems), problems
    assert line in [problem.place.line for problem in problems], problems


async def test_mistakes_inside_are_told_together() -> None:
    broken = BLOCK.replace("when: self > 10", "when: '1 +'").replace("code: \"'big'\"", "cod: x")
    async with running(broken) as rt:
        paths = {problem.path for problem in rt.status().problems}
    assert paths == {"b/pick.when", "b/big.cod"}


NESTED = """
- kind: block
  name: outer
  env: {A: {data: a}, B: {data: b}}
  specs:
    - kind: step
      name: middle
      env: {B: {data: inner b}, C: {name: secret}}
      specs:
        - {kind: snippet, name: say, language: text, code: "{{ A }}, {{ B }}, {{ C }}"}
    - {kind: snippet, name: other, language: text, code: "{{ B }}"}
  inbounds:
    in: [{name: middle}, {name: other}]
- {name: secret, secret: true, data: hidden}
"""


async def test_each_has_an_env_of_its_own_over_those_around_it() -> None:
    async with running(NESTED) as rt:
        assert await rt.send("outer") == ["a, inner b, hidden", "b"]
        assert set(states(rt)) == {"outer", "outer/middle", "outer/middle/say", "outer/other"}
        shown = rt.table.get("outer/middle/say")
        assert shown is not None
        assert "hidden" not in str(shown.spec.fields)


async def test_a_changed_value_reaches_what_is_inside() -> None:
    async with running(NESTED) as rt:
        other = rt.table.get("outer/other")
        await change(rt, "- {name: secret, secret: true, data: shown}")
        assert await rt.send("outer") == ["a, inner b, shown", "b"]
        assert rt.table.get("outer/other") is other


async def test_an_edit_inside_rebuilds_only_what_it_touches() -> None:
    async with running(BLOCK) as rt:
        before = {name: rt.table.get(f"b/{name}") for name in ("pick", "big", "small")}
        await change(rt, BLOCK.replace("\"'small'\"", "\"'tiny'\""))
        assert await rt.send("b", 1) == "tiny"
        assert rt.table.get("b/pick") is before["pick"]
        assert rt.table.get("b/big") is before["big"]
        assert rt.table.get("b/small") is not before["small"]


async def test_an_edit_that_moves_the_ports_moves_whoever_leads_there() -> None:
    flow = BLOCK + "- {kind: pipe, name: before, ports: {out: {name: b}}}"
    async with running(flow) as rt:
        before = rt.table.get("before")
        assert await rt.send("before", 1) == "small"
        await change(rt, BLOCK.replace("in: [{name: pick, port: in}]", "in: [{name: big}]"))
        assert await rt.send("before", 1) == "very big"
        assert rt.table.get("before") is before


async def test_what_is_inside_knows_where_it_stands_after_lines_moved() -> None:
    flow = BLOCK.lstrip()
    async with running(flow) as rt:
        line = (
            flow.splitlines().index(
                "    - {kind: snippet, name: small, language: cel, code: \"'small'\"}"
            )
            + 1
        )
        before = rt.table.get("b/small")
        more = "- {kind: nop, name: new}\n\n\n" + flow
        await change(rt, more)
        await rt.load(ChangeSet(specs=frozenset(one.id for one in rt.status().symbols)))
        [place] = [one.place for one in rt.status().symbols if one.name == "b/small"]
        assert place.startswith(f"flow.yaml:{line + 3}:")
        assert rt.table.get("b/small") is before


async def test_values_that_a_definition_asks_for_reach_its_users() -> None:
    flow = """
- kind: step
  name: say
  params: {}
  env: {WORD: {name: word}}
  specs:
    - {kind: snippet, language: text, code: "{{ WORD }}"}
- {name: word, data: first}
"""
    user = "- {kind: step, name: u, uses: say}"
    async with running(flow) as rt:
        await change(rt, user)
        assert await rt.send("u") == "first"
        await change(rt, "- {name: word, data: second}")
        assert await rt.send("u") == "second"


async def test_what_is_held_no_longer_goes() -> None:
    async with running(STEP) as rt:
        await change(
            rt,
            "- {kind: step, name: price, specs: [{kind: snippet, name: net, language: text, code: x}]}",
        )
        assert states(rt) == {"price": "active", "price/net": "active"}
        symbol = rt.table.get("price")
        assert symbol is not None
        told = asyncio.ensure_future(rt.events.wait("generation live"))
        await asyncio.sleep(0)
        await rt.store.apply([Delete(type=Spec, id=symbol.id)])
        await asyncio.wait_for(told, 60)
        assert states(rt) == {}


async def test_a_bad_edit_inside_keeps_what_ran() -> None:
    async with running(BLOCK) as rt:
        await change(rt, BLOCK.replace("when: self > 10", "when: self >"))
        assert rt.status().problems
        assert await rt.send("b", 11) == "very big"


async def test_it_waits_with_what_its_ports_lead_to() -> None:
    async with running(
        BLOCK.replace("- {kind: snippet, name: after", "- {kind: snippet, name: afer")
    ) as rt:
        found = {one.name: one for one in rt.status().symbols}
        assert found["b"].state == "waiting"
        assert 'waits for "after"' in " ".join(found["b"].reasons)
        assert found["b/small"].state == "active"
        await change(rt, "- {kind: snippet, name: after, language: cel, code: self}")
        assert await rt.send("b", 11) == "big"


async def test_limits_count_for_the_whole_block() -> None:
    flow = """
- kind: step
  name: s
  timeout: 10ms
  specs:
    - {kind: sleep, interval: 1h}
- {kind: pipe, name: before, ports: {out: {name: s}}}
"""
    async with running(flow) as rt, asyncio.timeout(60):
        for name in ("s", "before"):
            answer = await rt.send(name)
            assert isinstance(answer, Error)
            assert (answer.code, answer.symbol) == ("timeout", "s")


async def test_state_inside_outlives_an_edit_beside_it() -> None:
    flow = """
- kind: step
  name: s
  specs:
    - {kind: dedupe, name: once}
    - {kind: snippet, name: say, language: text, code: %s}
"""
    async with running(flow % "one") as rt:
        assert await rt.send("s", 1) == "one"
        await change(rt, flow.replace("name: once", "name: once, size: 5") % "two")
        assert await rt.send("s", 2) == "two"
        assert await rt.send("s", 1) != "two"


async def test_a_merge_inside_knows_which_of_its_ports_are_linked() -> None:
    flow = """
- kind: block
  name: b
  specs:
    - {kind: merge, name: m}
  inbounds:
    left: [{name: m, port: 'in[0]'}]
    right: [{name: m, port: 'in[1]'}]
- kind: split
  name: s
  ports:
    out[0]: [{name: b, port: left}]
    out[1]: [{name: b, port: right}]
"""
    async with running(flow) as rt:
        assert await rt.send("s", [1, 2]) == [1, 2]


# -- uses -----------------------------------------------------------------------------------------

GREETING = """
- kind: block
  name: greeting
  params:
    word: {type: string, help: "What to say."}
    times: {type: integer, default: 1}
    mark: {choices: ['!', '?'], default: '!'}
  specs:
    - kind: snippet
      name: greet
      language: cel
      code: "'{{ word }}, ' + self + '{{ mark }}'"
      ports: {out: [{name: again}]}
    - kind: snippet
      name: again
      language: python
      code: payload * {{ times }}
  inbounds:
    in: [{name: greet}]
  outbounds:
    out: [{name: again}]
"""

USERS = """
- {kind: block, name: german, uses: greeting, with: {word: Hallo}}
- {kind: block, name: english, uses: greeting, with: {word: Hello, times: 2, mark: '?'}}
"""


async def test_a_block_written_once_is_used_many_times() -> None:
    async with running(GREETING, USERS) as rt:
        assert not rt.status().problems
        assert await rt.send("german", "Ada") == "Hallo, Ada!"
        assert await rt.send("english", "Ada") == "Hello, Ada?Hello, Ada?"
        assert states(rt)["german/greet"] == "active"
        assert "greeting/greet" not in states(rt)


async def test_a_changed_definition_changes_whoever_uses_it() -> None:
    async with running(GREETING, USERS) as rt:
        again = rt.table.get("german/again")
        await change(rt, GREETING.replace("}}, '", "}} dear '"))
        assert await rt.send("german", "Ada") == "Hallo dear Ada!"
        assert await rt.send("english", "Ada") == "Hello dear Ada?Hello dear Ada?"
        assert rt.table.get("german/again") is again


async def test_a_definition_that_would_break_its_users_is_rejected() -> None:
    async with running(GREETING, USERS) as rt:
        await change(rt, GREETING.replace("    word:", "    wort:"))
        assert any('has no param "word"' in str(problem) for problem in rt.status().problems)
        assert await rt.send("german", "Ada") == "Hallo, Ada!"
        symbol = rt.table.get("greeting")
        assert symbol is not None
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        await asyncio.sleep(0)
        await rt.store.apply([Delete(type=Spec, id=symbol.id)])
        await asyncio.wait_for(told, 60)
        assert await rt.send("german", "Ada") == "Hallo, Ada!"


@pytest.mark.parametrize(
    ("user", "path", "told"),
    [
        ("uses: greeting", "u.with.word", "missing"),
        ("uses: greeting, with: {wrd: x, word: y}", "u.with.wrd", 'Did you mean "word"'),
        ("uses: greeting, with: {word: [1]}", "u.with.word", "expected: text"),
        ("uses: greeting, with: {word: x, times: many}", "u.with.times", "a whole number"),
        ("uses: greeting, with: {word: x, mark: '.'}", "u.with.mark", "! or ?"),
        ("uses: greting, with: {word: x}", "u.uses", 'no block "greting"'),
        ("uses: plain", "u.uses", "is a nop, not a block"),
        ("with: {word: x}", "u.with", "with without uses"),
        ("uses: greeting, specs: [{kind: nop}]", "u.specs", "both uses and specs"),
    ],
)
async def test_what_is_given_is_checked_like_the_fields_of_any_kind(
    user: str, path: str, told: str
) -> None:
    text = f"- {{kind: block, name: u, {user}}}\n- {{kind: nop, name: plain}}"
    async with running(GREETING, text) as rt:
        [problem] = rt.status().problems
    assert problem.path == path
    assert told in str(problem)
    assert problem.place.line == 1


async def test_a_mistake_in_a_definition_is_told_where_it_stands() -> None:
    broken = GREETING.replace("language: python", "langage: python")
    async with running(broken) as rt:
        problems = rt.status().problems
    assert [problem.path for problem in problems] == ["greeting/again.langage"]
    broken = GREETING.replace("payload * {{ times }}", "payload *")
    async with running(broken, USERS) as rt:
        found = {(problem.path, problem.place.line) for problem in rt.status().problems}
    line = broken.splitlines().index("      code: payload *") + 1
    assert found == {("german/again.code", line), ("english/again.code", line)}


async def test_definitions_may_use_others_but_not_themselves() -> None:
    flow = """
- kind: step
  name: twice
  params: {by: {type: number, default: 2}}
  specs:
    - {kind: snippet, language: cel, code: "self * {{ by }}"}
- kind: step
  name: four
  params: {}
  specs:
    - {kind: step, uses: twice}
    - {kind: step, uses: twice, with: {by: 5}}
- {kind: step, name: run, uses: four}
"""
    async with running(flow) as rt:
        assert await rt.send("run", 3) == 30
        await change(rt, flow.replace("default: 2", "default: 3"))
        assert await rt.send("run", 3) == 45
    ring = """
- {kind: step, name: a, params: {}, specs: [{kind: step, uses: b}]}
- {kind: step, name: b, params: {}, specs: [{kind: step, uses: a}]}
- {kind: step, name: run, uses: a}
"""
    async with running(ring) as rt:
        [problem] = rt.status().problems
    assert '"a" uses itself: a → b → a' in str(problem)


async def test_definitions_that_use_each_other_are_one_problem_for_all_their_users() -> None:
    ring = """
- {kind: step, name: c, specs: [{kind: step, uses: a}]}
- {kind: step, name: b, specs: [{kind: step, uses: c}]}
- {kind: step, name: a, specs: [{kind: step, uses: b}]}
- {kind: step, name: run, uses: b}
- {kind: step, name: self, specs: [{kind: step, uses: self}]}
"""
    async with running(ring) as rt:
        problems = [problem for problem in rt.status().problems if problem.code == "ring"]
    assert sorted(problem.found for problem in problems) == [
        '"a" uses itself: a → b → c → a',
        '"self" uses itself',
    ]


async def test_a_user_that_came_first_runs_as_soon_as_definition_is_there() -> None:
    async with running(USERS) as rt:
        assert len(rt.status().problems) == 2
        await change(rt, GREETING)
        assert await rt.send("german", "Ada") == "Hallo, Ada!"


# -- call -----------------------------------------------------------------------------------------

CALL = """
- kind: call
  name: order
  target: price
  args: self.items
  result: "{'who': payload.who, 'total': answer}"
- {kind: snippet, name: price, language: cel, code: size(self) * 5}
"""


async def test_a_call_asks_and_goes_on_with_the_answer() -> None:
    async with running(CALL) as rt:
        assert await rt.send("order", {"who": "ada", "items": [1, 2]}) == {
            "who": "ada",
            "total": 10,
        }


async def test_who_is_asked_may_be_chosen_by_name() -> None:
    flow = """
- {kind: call, name: c, targets: [up, down], choose: self.how, args: self.n, ports: {error: {name: e}}}
- {kind: snippet, name: up, language: cel, code: self + 1}
- {kind: snippet, name: down, language: cel, code: self - 1}
- {kind: snippet, name: e, language: cel, code: string(self)}
"""
    async with running(flow) as rt:
        assert await rt.send("c", {"how": "up", "n": 1}) == 2
        assert await rt.send("c", {"how": "down", "n": 1}) == 0
        answer = await rt.send("c", {"how": "sideways", "n": 1})
        assert answer.startswith('"sideways" is none of the targets (up, down)')


async def test_a_call_waits_for_its_target_and_keeps_it_from_going() -> None:
    call, _, price = CALL.partition("- {kind: snippet")
    async with running(call) as rt:
        assert states(rt) == {"order": "waiting"}
        await change(rt, "- {kind: snippet" + price)
        assert states(rt) == {"order": "active", "price": "active"}
        symbol = rt.table.get("price")
        assert symbol is not None
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        await asyncio.sleep(0)
        await rt.store.apply([Delete(type=Spec, id=symbol.id)])
        event = await asyncio.wait_for(told, 60)
    assert 'there is no "price"' in str(event.problems[0])


async def test_a_port_that_the_target_does_not_have_is_a_problem() -> None:
    async with running(CALL.replace("target: price", "target: {name: price, port: inn}")) as rt:
        assert any('"price" has no port "inn"' in str(one) for one in rt.status().problems)


async def test_an_error_of_the_target_goes_to_the_error_port() -> None:
    flow = """
- {kind: call, name: c, target: no, ports: {out: {name: never}, error: {name: e}}}
- {kind: throw, name: no}
- {kind: throw, name: never}
- {kind: snippet, name: e, language: cel, code: "'sorry: ' + string(self)"}
"""
    async with running(flow) as rt:
        assert await rt.send("c", "x") == "sorry: x"


async def test_a_process_asks_the_target_of_its_own_generation() -> None:
    go, entered = asyncio.Event(), asyncio.Event()

    @node("hold")
    async def hold(payload: Any) -> Any:
        entered.set()
        await go.wait()
        return payload

    flow = """
- {kind: hold, name: first, ports: {out: {name: c}}}
- {kind: call, name: c, target: say}
- {kind: snippet, name: say, language: text, code: old}
"""
    async with running(flow, extensions=[hold]) as rt:
        begun = asyncio.ensure_future(rt.send("first"))
        await asyncio.wait_for(entered.wait(), 60)
        await change(rt, "- {kind: snippet, name: say, language: text, code: new}")
        assert await rt.send("c") == "new"
        go.set()
        assert await begun == "old"
