"""Every kind outlives a change of its Spec, and a change that is rejected."""

import copy
import json
import re
from itertools import count
from typing import Any

import pytest
from ruamel.yaml import YAML

from heddle.runtime.assembly.extension import registry
from heddle.runtime.runtime import Runtime
from tests.runtime.worlds import run_state
from tests.support import change, running

pytestmark = pytest.mark.anyio

KINDS = {name: kind.schema for name, kind in sorted(registry().scheme.kinds.items())}
BROKEN = ("pause failed", "close failed", "disown failed")
FAILS = {"kind": "throw", "name": "fails"}


def alone(flow: str) -> list[dict[str, Any]]:
    """Return the Specs of an example, on free ports, asking nobody but ourselves."""
    ports = count(1)
    flow = re.sub(r"\bport: 8\d\d\d\b", "port: 0", flow)
    flow = re.sub(
        r"\b(http|ws)s?://[^/'\s,}]+", lambda found: f"{found[1]}://127.0.0.1:{next(ports)}", flow
    )
    specs: list[dict[str, Any]] = YAML(typ="safe").load(flow)
    return specs


def states(rt: Runtime) -> dict[str, str]:
    return {one.name or str(one.id): run_state(one) for one in rt.status().symbols}


def outcome(rt: Runtime) -> str:
    """Return what became of the last change."""
    told = [one.event for one in rt.events.recent]
    return next(one for one in reversed(told) if one in ("generation live", "change rejected"))


@pytest.mark.parametrize("name", KINDS)
async def test_a_changed_spec_takes_over_and_a_rejected_one_gives_back(name: str) -> None:
    specs = [*alone(KINDS[name].example), FAILS]
    number = next(index for index, one in enumerate(specs) if one["kind"] == name)
    async with running(json.dumps(specs)) as rt:
        before = states(rt)
        node = rt.table.get(specs[number]["name"])
        assert node is not None
        changed = copy.deepcopy(specs)
        changed[number]["annotations"] = {"note": "changed"}
        if KINDS[name].ins:
            changed[number].setdefault("timeout", "20s")
        else:
            changed[number]["env"] = {"UNUSED": {"data": 1}}
        await change(rt, json.dumps(changed))
        assert outcome(rt) == "generation live"
        assert states(rt) == before

        bad = copy.deepcopy(changed)
        bad[number]["annotations"] = {"note": "rejected"}
        ports = bad[number].setdefault("ports", {})
        ports["active"] = [{"name": "fails", "port": "in"}]
        if KINDS[name].ins:
            bad[number]["timeout"] = "30s"
        else:
            bad[number]["env"] = {"UNUSED": {"data": 2}}
        await change(rt, json.dumps(bad))
        assert outcome(rt) == "change rejected"
        assert states(rt) == before

        # And it may change once more: what was given back is whole.
        again = copy.deepcopy(changed)
        again[number]["annotations"] = {"note": "again"}
        if KINDS[name].ins:
            again[number]["timeout"] = "40s"
        await change(rt, json.dumps(again))
        assert outcome(rt) == "generation live"
        assert states(rt) == before
    assert [one for one in rt.events.recent if one.event in BROKEN] == []
