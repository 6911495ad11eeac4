"""Change sets over HTTP: applied whole, looked back at, rolled back; and a store over the API."""

import asyncio
from typing import Any

import msgspec
import pytest

from heddle.specs.model.accepted import AcceptedResource
from heddle.specs.stores.contract_story import AWKWARD
from tests.extensions.manage.support import DEFAULT, data, managing
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

TWO = """\
- {kind: snippet, name: pong, language: text, code: two}
- {kind: snippet, name: more, language: text, code: more}
- {name: greeting, data: hello}
"""


async def test_a_file_is_one_change_set() -> None:
    async with managing() as one:
        reply = await one.call(
            "POST", f"{DEFAULT}/apply?message=two", TWO, media="application/yaml"
        )
        said = data(reply)
        assert [(each["action"], each["name"]) for each in said["changes"]] == [
            ("updated", "pong"),
            ("created", "more"),
            ("created", "greeting"),
        ]
        assert said["changes"][0]["details"] == [{"at": "code", "before": "pong", "after": "two"}]
        [revision] = (await one.call.get(f"{DEFAULT}/revisions?limit=1"))["items"]
        assert (revision["number"], revision["message"]) == (said["revision"], "two")
        assert len(revision["turns"]) == 3


async def test_one_problem_and_nothing_is_written() -> None:
    async with managing() as one:
        before = await one.rt.store.newest()
        text = TWO + "- {kind: snippet, name: wrong, langauge: text, code: x}\n"
        reply = await one.call("POST", f"{DEFAULT}/apply", text, media="application/yaml")
        assert reply.status == 422
        [problem] = [each for each in data(reply)["problems"] if each["code"] == "unknown-field"]
        assert (problem["line"], problem["path"]) == (4, "wrong.langauge")
        assert await one.rt.store.newest() == before


async def test_pruning_deletes_what_was_not_sent() -> None:
    async with managing() as one:
        listed = await one.call("GET", f"{DEFAULT}/specs", headers={"Accept": "application/yaml"})
        await one.call("POST", f"{DEFAULT}/apply", TWO, media="application/yaml")
        path = f"{DEFAULT}/apply?prune=true"
        dry = await one.call("POST", f"{path}&dryRun=true", listed.body, media="application/yaml")
        gone = [each["name"] for each in data(dry)["changes"] if each["action"] == "deleted"]
        assert gone == ["more"]
        done = await one.call("POST", path, listed.body, media="application/yaml")
        assert data(done)["revision"] > 0
        names = [each.name for each in await one.rt.store.specs("default")]
        assert sorted(map(str, names)) == ["listener", "pong", "router"]
        # Values were not among what was sent: they stay.
        assert len(await one.rt.store.values("default")) == 2


async def test_what_others_changed_since_is_kept_or_a_conflict() -> None:
    async with managing() as one:
        base = await one.rt.store.newest()
        await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": "theirs"})
        reply = await one.call(
            "POST", f"{DEFAULT}/apply?base={base}", TWO, media="application/yaml"
        )
        assert reply.status == 409
        assert "pong was changed by somebody else" in data(reply)["detail"]
        assert data(reply)["conflicts"][0]["at"] == "pong.code"


async def test_rolling_back_makes_a_new_revision() -> None:
    async with managing() as one:
        await one.call("POST", f"{DEFAULT}/apply", TWO, media="application/yaml")
        path = f"{DEFAULT}/rollback"
        dry = await one.call("POST", f"{path}?dryRun=true", {"revision": 1})
        assert {each["action"] for each in data(dry)["changes"]} == {"updated", "deleted"}
        done = await one.call("POST", path, {"revision": 1})
        assert data(done)["revision"] == 3
        assert (await one.call.get(f"{DEFAULT}/specs/pong"))["code"] == "pong"
        [newest] = (await one.call.get(f"{DEFAULT}/revisions?limit=1"))["items"]
        assert newest["message"] == "rolled back to revision 1"
        assert (await one.call("POST", path, {"revision": 99})).status == 404
        assert (await one.call("POST", path, {"revision": -1})).status == 422
        assert (await one.call("POST", path, {"revsion": 1})).status == 422


async def test_the_history_comes_page_by_page() -> None:
    async with managing() as one:
        for code in ("a", "b", "c"):
            await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": code})
        numbers: list[int] = []
        before: int | None = 10**6
        while before is not None:
            page = await one.call.get(f"{DEFAULT}/revisions?limit=3&before={before}")
            numbers += [each["number"] for each in page["items"]]
            before = page["before"]
        assert numbers == [4, 3, 2, 1]
        named = await one.call.get(f"{DEFAULT}/revisions?name=router")
        assert [each["number"] for each in named["items"]] == [1]
        single = await one.call.get(f"{DEFAULT}/revisions/2")
        [turn] = single["turns"]
        assert (turn["before"]["spec"]["code"], turn["after"]["spec"]["code"]) == ("pong", "a")
        assert (await one.call("GET", f"{DEFAULT}/revisions/99")).status == 404
        assert (await one.call("GET", f"{DEFAULT}/revisions/first")).status == 400


# --- a store over the API -------------------------------------------------------------------------


async def test_changes_keep_the_contract_of_a_store() -> None:
    async with managing() as one:
        changes = "/v1/store/changes?check=false"
        entry: dict[str, Any] = {"kind": "whatever", "name": "odd", **AWKWARD}
        made = data(await one.call("POST", changes, {"changes": [{"put": entry, "revision": 0}]}))
        [held] = made["items"]
        assert held["revision"] == made["revision"] == (await one.call.get("/v1/store"))["revision"]
        assert {key: held["spec"][key] for key in AWKWARD} == AWKWARD
        again = await one.call("POST", changes, {"changes": [{"put": entry, "revision": 0}]})
        assert again.status == 409
        gone = {"delete": {"type": "spec", "id": held["spec"]["id"]}, "revision": 1}
        assert (await one.call("POST", changes, {"changes": [gone]})).status == 409
        both = [{"put": {"kind": "x", "name": "two"}}, {**gone, "revision": held["revision"]}]
        done = await one.call("POST", changes, {"changes": both, "author": "me", "message": "why"})
        assert data(done)["items"][0]["spec"]["name"] == "two"
        [newest] = (await one.call.get("/v1/revisions?limit=1"))["items"]
        assert (newest["author"], newest["message"], len(newest["turns"])) == (
            "me (as local)",
            "why",
            2,
        )
        missing = {"delete": {"type": "value", "id": held["spec"]["id"]}}
        assert (await one.call("POST", changes, {"changes": [missing]})).status == 404
        assert (await one.call("POST", changes, {"changes": [{}]})).status == 422


async def test_changes_are_checked_unless_said_otherwise() -> None:
    async with managing() as one:
        entry = {"kind": "whatever", "name": "odd"}
        reply = await one.call("POST", "/v1/store/changes", {"changes": [{"put": entry}]})
        assert reply.status == 422
        assert data(reply)["problems"][0]["code"] == "unknown-kind"


async def test_a_masked_secret_is_never_stored_by_a_store_over_the_api() -> None:
    async with managing() as one:
        [held] = (await one.call.get("/v1/values"))["items"]
        for check in ("true", "false"):
            reply = await one.call(
                "POST", f"/v1/store/changes?check={check}", {"changes": [{"put": held["value"]}]}
            )
            assert (reply.status, data(reply)["type"]) == (422, "urn:heddle:problem:masked")
        [kept] = await one.rt.store.values()
        assert kept.data == "hunter2hunter2"


async def test_specs_of_all_namespaces_are_found_by_their_ids() -> None:
    async with managing() as one:
        await one.call("PUT", "/v1/namespaces/shop/specs/one", {"kind": "nop"})
        found = await one.call.get("/v1/specs?limit=1000")
        assert {each["spec"]["namespace"] for each in found["items"]} == {"default", "shop"}
        ids = [each["spec"]["id"] for each in found["items"]][:2]
        some = await one.call.get(f"/v1/specs?id={ids[0]}&id={ids[1]}")
        assert sorted(each["spec"]["id"] for each in some["items"]) == sorted(ids)
        shop = await one.call.get("/v1/specs?namespace=shop")
        assert [each["spec"]["name"] for each in shop["items"]] == ["one"]


async def test_reports_of_runtimes_are_kept_and_withdrawn() -> None:
    async with managing() as one:
        report = {"runtime": "r1", "namespace": "shop", "seen": 4e9, "observed": 3}
        assert (await one.call("PUT", "/v1/reports/r1", report)).status == 204
        assert (await one.call("PUT", "/v1/reports/r2", report)).status == 422
        [found] = (await one.call.get("/v1/reports?namespace=shop"))["items"]
        assert (found["runtime"], found["observed"]) == ("r1", 3)
        assert (await one.call("DELETE", "/v1/reports/r1")).status == 204
        assert (await one.call.get("/v1/reports?namespace=shop"))["items"] == []


async def test_only_what_the_store_held_is_kept_as_accepted() -> None:
    async with managing() as one:
        [spec] = [each for each in await one.rt.store.specs() if each.name == "pong"]
        held = msgspec.to_builtins(AcceptedResource.of(spec))
        forged = {**held, "body": held["body"].replace("pong", "evil")}
        path = f"{DEFAULT}/accepted"
        assert (await one.call("PUT", path, {"kept": [held]})).status == 204
        assert held in (await one.call.get(path))["items"]
        for wrong in (forged, {**forged, "revision": 1}, {**held, "body": "{}"}):
            assert (await one.call("PUT", path, {"kept": [wrong]})).status == 422
        # What it held before counts as well, at its revision.
        changed = {"kind": "snippet", "language": "text", "code": "two"}
        assert (await one.call("PUT", f"{DEFAULT}/specs/pong", changed)).status == 200
        assert (await one.call("PUT", path, {"kept": [held]})).status == 204
        reader = await one.token("ada", "read")
        assert (await reader("PUT", path, {"kept": [held]})).status == 403
        assert (await reader("GET", path)).status == 200


# --- itself ---------------------------------------------------------------------------------------


async def test_a_request_that_replaces_its_own_router_is_answered() -> None:
    async with managing() as one:
        router = _shipped(one.system, "router")
        router["routes"].append({"method": "GET", "path": "/v1/mine", "port": "out[900]"})
        router["ports"]["out[900]"] = [{"name": "mine", "port": "in"}]
        mine = {"kind": "snippet", "name": "mine", "language": "text", "code": "mine"}
        before = one.system.table.wiring.generation.number
        reply = await one.call("POST", "/v1/namespaces/system/apply", [router, mine])
        assert (reply.status, len(data(reply)["changes"])) == (200, 2)
        await one.live(one.system, after=before)
        assert (await one.call("GET", "/v1/mine")).text == "mine"
        # Deleted, what is shipped is back.
        before = one.system.table.wiring.generation.number
        assert (await one.call("DELETE", "/v1/namespaces/system/specs/router")).status == 204
        await one.live(one.system, after=before)
        assert (await one.call("GET", "/v1/mine")).status == 404
        assert (await one.call("GET", "/v1")).status == 200


async def test_a_request_that_moves_its_own_listener_is_answered() -> None:
    async with managing() as one:
        listener = _shipped(one.system, "listener")
        listener["limits"] = {"body": "1MiB"}
        before = one.system.table.wiring.generation.number
        same = await one.call("PUT", "/v1/namespaces/system/specs/listener", listener)
        assert same.status == 201
        await one.live(one.system, after=before)
        assert (await one.call("GET", "/v1")).status == 200

        old = one.call
        listener["host"] = "127.0.0.2"
        before = one.system.table.wiring.generation.number
        moved = await old("PUT", "/v1/namespaces/system/specs/listener", listener)
        assert moved.status == 200
        await one.live(one.system, after=before)
        node = one.system.table.get("listener")
        assert node is not None
        assert getattr(node.node, "address", ("",))[0] == "127.0.0.2"


async def test_a_change_that_would_break_api_is_rejected_and_it_serves_on() -> None:
    async with managing() as one:
        reply = await one.call("PUT", "/v1/namespaces/system/specs/router", {"kind": "router"})
        assert reply.status == 422
        assert (await one.call("GET", "/v1")).status == 200


def _shipped(system: Any, name: str) -> dict[str, Any]:
    from heddle.specs.model.entry import data_of

    found = system.table.get(name)
    assert found is not None
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(data_of(found.spec)))
    copied.pop("namespace")
    return copied


async def test_the_flow_beside_it_serves_on_through_all_of_it() -> None:
    async with managing() as one:
        for code in ("a", "b", "c"):
            before = one.rt.table.wiring.generation.number
            await one.call("PATCH", f"{DEFAULT}/specs/pong", {"code": code})
            await one.live(one.rt, after=before)
            assert (await fetch(port_of(one.rt), "/ping")).text == code


async def test_a_change_set_beyond_the_limits_is_rejected_and_holds_nobody_up() -> None:
    async with managing() as one:
        before = await one.rt.store.newest()
        nodes = "kind: snippet\nname: x\nlanguage: text\ncode: x\nz: [" + "1," * 2_000_000 + "1]\n"
        for text, status, found, least in (
            (nodes, 400, "more than 200,000 nodes", 20),
            ("# " + "x" * 8_400_000, 413, "8,400,002 bytes", 2),
        ):
            asked = asyncio.ensure_future(
                one.call("POST", f"{DEFAULT}/apply?dryRun=true", text, media="application/yaml")
            )
            turns = 0
            while not asked.done():
                await asyncio.sleep(0.001)
                turns += 1
            reply = await asked
            assert reply.status == status
            assert found in data(reply)["problems"][0]["found"]
            assert turns > least
        assert await one.rt.store.newest() == before


async def test_a_large_change_set_is_read_as_a_small_one() -> None:
    entries = [
        {"kind": "snippet", "name": f"n{n}", "language": "cel", "code": f"self.x + {n}"}
        for n in range(1500)
    ]
    async with managing() as one:
        for media, body in (
            ("application/json", msgspec.json.encode(entries).decode()),
            (
                "application/yaml",
                "".join(f"- {msgspec.json.encode(e).decode()}\n" for e in entries),
            ),
        ):
            assert len(body) > 64 * 1024
            reply = await one.call("POST", f"{DEFAULT}/apply?dryRun=true", body, media=media)
            assert reply.status == 200
            assert [each["action"] for each in data(reply)["changes"]] == ["created"] * 1500
        wrong = "".join(f"- {msgspec.json.encode(e).decode()}\n" for e in [*entries, {"kind": 5}])
        reply = await one.call("POST", f"{DEFAULT}/apply", wrong, media="application/yaml")
        assert reply.status == 422
        assert data(reply)["problems"][0]["line"] == 1501


async def test_a_change_of_system_is_checked_against_the_shipped_specs() -> None:
    timer = {"kind": "timer", "name": "own", "interval": "1h"}
    path = "/v1/namespaces/system/apply?dryRun=true"
    async with managing() as one:
        wrong = {**timer, "ports": {"out": {"name": "specs.list", "port": "nope"}}}
        reply = await one.call("POST", path, wrong)
        assert reply.status == 422
        [problem] = data(reply)["problems"]
        assert problem["code"] == "unknown-port"
        right = {**timer, "ports": {"out": {"name": "specs.list", "port": "in"}}}
        assert (await one.call("POST", path, right)).status == 200


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "snippet", "language": "text", "code": "x", "ports": {"out": "pong.in"}},
        {"kind": "router", "routes": [{"method": "GET", "path": "/", "to": "pong.in"}]},
    ],
    ids=["ports", "routes"],
)
async def test_a_text_with_two_readings_is_rejected_in_json(entry: dict[str, Any]) -> None:
    async with managing() as one:
        other = {"name": "pong.in", "kind": "snippet", "language": "text", "code": "x"}
        await one.call("POST", f"{DEFAULT}/apply", [other])
        reply = await one.call("PUT", f"{DEFAULT}/specs/first", {**entry, "name": "first"})
        assert reply.status == 422
        assert [each["code"] for each in data(reply)["problems"]] == ["ambiguous-link"]


@pytest.mark.parametrize("target", ["pong", "pong.in", {"name": "pong", "port": "in"}], ids=str)
async def test_a_target_of_a_route_cannot_be_deleted(target: Any) -> None:
    async with managing() as one:
        route = {"method": "GET", "path": "/", "to": target}
        entry = {"name": "first", "kind": "router", "routes": [route]}
        assert (await one.call("PUT", f"{DEFAULT}/specs/first", entry)).status == 201
        reply = await one.call("DELETE", f"{DEFAULT}/specs/pong")
        assert reply.status == 422
        assert "missing-link" in [each["code"] for each in data(reply)["problems"]]
