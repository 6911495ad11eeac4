"""Every defect that uniflow is known for has a test that names what is sane instead.

`SANE` says which: by the number of the defect in its list. Those that have no better home are here.
"""

import ast
import asyncio
from typing import Any

import pytest

from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text
from tests.docs.fences import ROOT
from tests.support import change, fetch, port_of, running

CONTROL = "tests/extensions/control"
CLIENT = "tests/extensions/net/http_client/test_client.py"
LISTENER = "tests/extensions/net/test_listener.py"
CONTRACT = "specs/stores/contract.py"
HERE = "tests/uniflow/test_defects.py"

SANE: dict[int, tuple[str, list[str]]] = {
    1: (
        f"{CONTROL}/test_control.py",
        ["test_switch_takes_the_first_true_case_whatever_its_port_number"],
    ),
    2: (f"{CONTROL}/test_for.py", ["test_results_keep_the_shape_of_what_was_given"]),
    3: (f"{CONTROL}/test_control.py", ["test_a_fork_without_a_link_leaks_nothing"]),
    4: ("tests/runtime/flow/test_process_end.py", ["test_an_exception_never_ends_another_process"]),
    5: (CONTRACT, ["test_a_put_replaces_what_was_there_as_a_whole"]),
    6: (CONTRACT, ["test_find_narrows_by_namespace_and_id"]),
    7: (CONTRACT, ["test_nameless_specs_live_side_by_side"]),
    8: (
        CONTRACT,
        ["test_a_taken_name_conflicts", "test_a_stale_revision_conflicts_and_changes_nothing"],
    ),
    9: (HERE, ["test_values_by_name_and_by_id_are_found_together_in_any_order"]),
    10: (HERE, ["test_what_has_no_name_and_no_id_touches_nobody_else"]),
    11: (HERE, ["test_the_environment_is_never_taken_from_a_stored_value"]),
    12: (
        CONTRACT,
        ["test_the_same_again_is_no_change", "test_what_changes_nothing_is_not_reported"],
    ),
    13: (HERE, ["test_who_is_no_longer_linked_by_one_is_still_held_by_another"]),
    14: (f"{CONTROL}/test_container.py", ["test_a_step_of_one_is_that_one"]),
    15: (LISTENER, ["test_cookies_and_cors_headers_reach_the_client"]),
    16: (LISTENER, ["test_malformed_json_is_a_400_when_the_flow_reads_it"]),
    17: (HERE, ["test_a_map_without_a_body_is_the_body"]),
    18: (
        CLIENT,
        [
            "test_a_query_in_url_does_no_harm_to_a_packet_without_one",
            "test_a_packet_says_method_and_body",
        ],
    ),
    19: (
        CONTRACT,
        ["test_a_change_set_reaches_watchers_once", "test_what_is_reported_can_be_read"],
    ),
    20: (
        "tests/extensions/sql/test_sql.py",
        [
            "test_nodes_of_one_process_share_a_transaction_that_commits_before_the_reply",
            "test_a_commit_that_fails_answers_500",
        ],
    ),
    21: (HERE, ["test_a_condition_that_comes_to_null_is_not_true"]),
    22: ("tests/specs/binding/test_bind.py", ["test_null_fields_are_no_trouble"]),
    23: ("tests/runtime/flow/test_process.py", ["test_a_child_has_begun_and_has_not_ended"]),
    24: (
        f"{CONTROL}/test_merge_split.py",
        [
            "test_a_merge_is_answered_once_in_the_order_of_its_ports",
            "test_different_processes_are_never_merged",
        ],
    ),
    25: (HERE, ["test_a_symbol_and_its_frames_have_the_same_id"]),
}
"""For each defect, the file and the tests in it."""

ECHO = "- {kind: snippet, name: echo, language: cel, code: self}\n"


def test_every_defect_has_its_test() -> None:
    assert sorted(SANE) == list(range(1, 26))
    for file, names in SANE.values():
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert set(names) - there == set(), file


@pytest.mark.anyio
@pytest.mark.parametrize("order", ["name first", "id first"])
async def test_values_by_name_and_by_id_are_found_together_in_any_order(order: str) -> None:
    named = "{name: one}"
    by_id = "{id: 01908c74-8b22-7cbf-a475-6b6bc871b01b}"
    first, second = (named, by_id) if order == "name first" else (by_id, named)
    flow = f"""
- {{name: one, data: 1}}
- {{id: 01908c74-8b22-7cbf-a475-6b6bc871b01b, name: two, data: 2}}
- kind: snippet
  name: both
  language: cel
  code: "'{{{{ FIRST }}}} {{{{ SECOND }}}}'"
  env: {{FIRST: {first}, SECOND: {second}}}
"""
    async with running(flow) as rt:
        assert await rt.send("both") == ("1 2" if order == "name first" else "2 1")


@pytest.mark.anyio
async def test_what_has_no_name_and_no_id_touches_nobody_else() -> None:
    text = "- {kind: nop, name: a}\n- {kind: nop, name: b}\n"
    nameless = read_text("- {kind: sleep, interval: 1s}", file="new.yaml").specs
    store = MemoryStore(read_text(text, file="old.yaml").specs)
    await store.open()
    await store.apply([Put(resource=one) for one in nameless])
    assert {(one.name, one.kind) for one in await store.specs()} == {
        ("a", "nop"),
        ("b", "nop"),
        (None, "sleep"),
    }
    await store.apply([Delete(type=Spec, id=one.id) for one in nameless])
    assert {one.name for one in await store.specs()} == {"a", "b"}
    await store.close()


@pytest.mark.anyio
async def test_the_environment_is_never_taken_from_a_stored_value() -> None:
    flow = """
- {name: secret, data: {PORT: stolen, KEY: k}}
- kind: snippet
  name: told
  language: text
  code: '{{ PORT }} {{ KEY }}'
  env:
    PORT: {data: '{{ .PORT }}'}
    KEY: {name: secret, data: '{{ .KEY }}'}
"""
    async with running(flow, environment={"PORT": 8000}) as rt:
        assert await rt.send("told") == "8000 k"


@pytest.mark.anyio
async def test_who_is_no_longer_linked_by_one_is_still_held_by_another() -> None:
    flow = """
- {kind: pipe, name: a, ports: {out: {name: c}}}
- {kind: pipe, name: b, ports: {out: {name: c}}}
- {kind: snippet, name: c, language: text, code: c}
"""
    async with running(flow) as rt:
        await change(rt, "- {kind: pipe, name: a}")
        told = asyncio.ensure_future(rt.events.wait("change rejected"))
        await asyncio.sleep(0)
        [c] = [one for one in rt.status().symbols if one.name == "c"]
        await rt.store.apply([Delete(type=Spec, id=c.id)])
        async with asyncio.timeout(10):
            await told
        assert await rt.send("b") == "c"


@pytest.mark.anyio
async def test_a_map_without_a_body_is_the_body() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: data}}}
- {kind: snippet, name: data, language: json, code: '{"a": 1}'}
"""
    async with running(flow) as rt:
        reply = await fetch(port_of(rt))
    assert (reply.status, reply.headers["Content-Type"], reply.text) == (
        200,
        "application/json",
        '{"a":1}',
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "when",
    [
        "'null'",
        "{language: javascript, code: 'null'}",
        "{language: javascript, code: '(() => {})()'}",
        "{language: python, code: None}",
        "{language: jsonata, code: nowhere}",
    ],
)
async def test_a_condition_that_comes_to_null_is_not_true(when: str) -> None:
    flow = f"""
- kind: if
  name: choose
  when: {when}
  ports: {{'out[0]': {{name: one}}, 'out[1]': {{name: other}}}}
- {{kind: snippet, name: one, language: text, code: 'yes'}}
- {{kind: snippet, name: other, language: text, code: 'no'}}
"""
    async with running(flow) as rt:
        assert await rt.send("choose", {}) == "no"


@pytest.mark.anyio
async def test_a_symbol_and_its_frames_have_the_same_id() -> None:
    seen: list[Any] = []
    async with running(ECHO) as rt:
        watch = rt.agent.watch(keep=10, on_frame=seen.append)
        try:
            assert await rt.send("echo", 1) == 1
        finally:
            rt.agent.unwatch(watch)
        [symbol] = rt.status().symbols
    assert {frame.symbol for frame in seen} <= {symbol.name, symbol.id}
    assert seen
