"""Specs and Values one by one, over a real socket."""

from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.manage.system import ApiSettings, system_runtime
from heddle.runtime.assembly.extension import registry
from heddle.specs.model.names import new_id
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.store import Put
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import KeyFile, Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.contract_story import AWKWARD
from tests.extensions.manage.support import DEFAULT, PING, Client, data, managing
from tests.support import fetch, port_of, stored

pytestmark = pytest.mark.anyio

PONG = {"kind": "snippet", "language": "text", "code": "hello"}
SPECS, VALUES = f"{DEFAULT}/specs", f"{DEFAULT}/values"


async def test_what_is_stored_is_listed_by_name() -> None:
    async with managing() as one:
        found = await one.call.get(SPECS)
        assert [each["spec"]["name"] for each in found["items"]] == ["listener", "pong", "router"]
        assert found["cursor"] is None
        assert {each["revision"] for each in found["items"]} == {found["revision"]}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("kind=router", ["router"]),
        ("kind=router&kind=snippet", ["pong", "router"]),
        ("name=po*", ["pong"]),
        ("name=nobody", []),
        ("annotation=team", ["marked"]),
        ("annotation=team%3Dweb", ["marked"]),
        ("annotation=team%3Dother", []),
    ],
)
async def test_a_list_is_narrowed(query: str, names: list[str]) -> None:
    async with managing() as one:
        marked = {**PONG, "name": "marked", "annotations": {"team": "web"}}
        assert (await one.call("POST", SPECS, marked)).status == 201
        found = await one.call.get(f"{SPECS}?{query}")
        wanted = names if names != ["pong", "router"] else ["marked", "pong", "router"]
        assert [each["spec"]["name"] for each in found["items"]] == wanted


async def test_a_list_comes_page_by_page() -> None:
    async with managing() as one:
        names: list[str] = []
        cursor = ""
        while True:
            page = await one.call.get(f"{SPECS}?limit=2{cursor}")
            names += [each["spec"]["name"] for each in page["items"]]
            assert len(page["items"]) <= 2
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert names == ["listener", "pong", "router"]


async def test_one_is_found_by_its_name_and_by_its_id() -> None:
    async with managing() as one:
        by_name = await one.call("GET", f"{SPECS}/pong")
        assert by_name.headers["ETag"] == '"1"'
        found = data(by_name)
        assert await one.call.get(f"{SPECS}/{found['id']}") == found
        again = await one.call("GET", f"{SPECS}/pong", headers={"If-None-Match": '"1"'})
        assert (again.status, again.body) == (304, b"")
        head = await one.call("HEAD", f"{SPECS}/pong")
        assert (head.status, head.body) == (200, b"")


async def test_what_is_not_there_is_told_with_the_nearest_name() -> None:
    async with managing() as one:
        reply = await one.call("GET", f"{SPECS}/pnog")
        assert reply.status == 404
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert (
            (data(reply)["detail"])
            == 'there is no spec "pnog" in the namespace default. Did you mean "pong"?'
        )


async def test_yaml_comes_and_goes() -> None:
    async with managing() as one:
        listed = await one.call("GET", SPECS, headers={"Accept": "application/yaml"})
        assert listed.headers["Content-Type"] == "application/yaml; charset=utf-8"
        applied = await one.call("POST", f"{DEFAULT}/apply", listed.body, media="application/yaml")
        assert {each["action"] for each in data(applied)["changes"]} == {"unchanged"}
        assert data(applied)["revision"] == 0


async def test_a_spec_is_created_replaced_patched_and_deleted() -> None:
    async with managing() as one:
        made = await one.call("POST", SPECS, {**PONG, "name": "new"})
        assert (made.status, made.headers["Location"]) == (201, f"{SPECS}/new")
        assert (await one.call("POST", SPECS, {**PONG, "name": "new"})).status == 409
        put = await one.call("PUT", f"{SPECS}/new", {**PONG, "code": "two"})
        assert (put.status, data(put)["code"]) == (200, "two")
        patched = await one.call("PATCH", f"{SPECS}/new", {"annotations": {"a": "b"}})
        assert data(patched)["code"] == "two"
        assert data(patched)["annotations"] == {"a": "b"}
        unset = await one.call("PATCH", f"{SPECS}/new", {"annotations": None})
        assert "annotations" not in data(unset)
        assert (await one.call("DELETE", f"{SPECS}/new")).status == 204
        assert (await one.call("GET", f"{SPECS}/new")).status == 404


async def test_a_change_goes_live() -> None:
    async with managing() as one:
        before = one.rt.table.wiring.generation.number
        await one.call("PUT", f"{SPECS}/pong", PONG)
        await one.live(one.rt, after=before)
        assert (await fetch(port_of(one.rt), "/ping")).text == "hello"


async def test_a_put_creates_what_is_not_there() -> None:
    async with managing() as one:
        made = await one.call("PUT", f"{SPECS}/fresh", PONG)
        assert (made.status, data(made)["name"]) == (201, "fresh")
        id_ = "01890a5d-ac96-774b-bcce-b302099a8057"
        nameless = await one.call("PUT", f"{SPECS}/{id_}", PONG)
        assert (nameless.status, data(nameless)["id"]) == (201, id_)
        other = await one.call("PUT", f"{SPECS}/other", {**PONG, "name": "another"})
        assert other.status == 422


async def test_another_name_renames_it_and_the_id_stays() -> None:
    async with managing() as one:
        await one.call("POST", SPECS, {**PONG, "name": "old"})
        id_ = (await one.call.get(f"{SPECS}/old"))["id"]
        renamed = await one.call("PUT", f"{SPECS}/old", {**PONG, "name": "young"})
        assert (renamed.status, data(renamed)["id"]) == (200, id_)
        assert (await one.call.get(f"{SPECS}/young"))["id"] == id_
        # The old name is free, though the id that it leads to is taken.
        again = await one.call("PUT", f"{SPECS}/old", PONG)
        assert again.status == 201
        assert data(again)["id"] != id_


async def test_a_stale_revision_is_rejected_with_both_changes_merged() -> None:
    async with managing() as one:
        route = {"method": "GET", "path": "/pong", "port": "out[0]"}
        router = await one.call.get(f"{SPECS}/router")
        mine = {**router, "annotations": {"team": "web"}}
        theirs = {**router, "routes": [*router["routes"], route]}
        assert (await one.call("PUT", f"{SPECS}/router", theirs)).status == 200
        late = await one.call("PUT", f"{SPECS}/router", mine, headers={"If-Match": '"1"'})
        assert (late.status, late.headers["ETag"]) == (412, '"2"')
        said = data(late)
        assert said["revision"] == 2
        assert said["current"]["routes"] == theirs["routes"]
        assert said["merged"]["routes"] == theirs["routes"]
        assert said["merged"]["annotations"] == {"team": "web"}
        again = await one.call(
            "PUT", f"{SPECS}/router", said["merged"], headers={"If-Match": '"2"'}
        )
        assert again.status == 200


async def test_two_who_change_the_same_are_told_where() -> None:
    async with managing() as one:
        await one.call("PATCH", f"{SPECS}/pong", {"code": "theirs"})
        late = await one.call(
            "PUT", f"{SPECS}/pong", {**PONG, "code": "mine"}, headers={"If-Match": '"1"'}
        )
        [conflict] = data(late)["conflicts"]
        assert conflict["at"] == "pong.code"
        assert (conflict["base"], conflict["yours"], conflict["theirs"]) == (
            "pong",
            "mine",
            "theirs",
        )


async def test_if_none_match_creates_and_never_replaces() -> None:
    async with managing() as one:
        only_new = {"If-None-Match": "*"}
        assert (await one.call("PUT", f"{SPECS}/pong", PONG, headers=only_new)).status == 412
        assert (await one.call("PUT", f"{SPECS}/new", PONG, headers=only_new)).status == 201
        gone = await one.call("PUT", f"{SPECS}/gone", PONG, headers={"If-Match": '"1"'})
        assert gone.status == 412
        any_there = {"If-Match": "*"}
        assert (await one.call("DELETE", f"{SPECS}/new", headers=any_there)).status == 204


async def test_a_dry_run_writes_nothing() -> None:
    async with managing() as one:
        before = await one.rt.store.newest()
        for method, path, body in (
            ("POST", f"{SPECS}?dryRun=true", {**PONG, "name": "new"}),
            ("PUT", f"{SPECS}/pong?dryRun=true", PONG),
            ("PATCH", f"{SPECS}/pong?dryRun=true", {"code": "x"}),
            ("DELETE", f"{VALUES}/password?dryRun=true", None),
        ):
            reply = await one.call(method, path, body)
            assert (reply.status, data(reply)["dryRun"]) == (200, True), reply
            assert data(reply)["changes"][0]["action"] in ("created", "updated", "deleted")
        assert await one.rt.store.newest() == before


async def test_problems_stand_at_the_line_of_what_was_sent() -> None:
    async with managing() as one:
        text = "kind: snippet\nlanguage: text\n\nkode: hello\n"
        reply = await one.call("PUT", f"{SPECS}/pong", text, media="application/yaml")
        assert reply.status == 422
        problems = data(reply)["problems"]
        found = next(each for each in problems if each["code"] == "unknown-field")
        assert (found["line"], found["column"]) == (4, 1)
        assert found["hint"] == 'Did you mean "code"?'
        broken = await one.call("PUT", f"{SPECS}/pong", "kind: [", media="application/yaml")
        assert (broken.status, data(broken)["problems"][0]["code"]) == (400, "syntax")


async def test_deleting_what_others_need_is_rejected() -> None:
    async with managing() as one:
        reply = await one.call("DELETE", f"{SPECS}/pong")
        assert reply.status == 422
        assert data(reply)["problems"][0]["code"] == "left-behind"


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json; charset=utf-8", 200),
        ("application/yaml", 200),
        ("text/yaml", 200),
    ],
)
async def test_only_json_and_yaml_are_read(media: str, status: int) -> None:
    async with managing() as one:
        text = '{"kind": "snippet", "language": "text", "code": "x"}'
        assert (await one.call("PUT", f"{SPECS}/pong", text, media=media)).status == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", SPECS, "", 400),
        ("POST", SPECS, "[]", 422),
        ("POST", SPECS, '[{"kind": "nop"}, {"kind": "nop"}]', 422),
        ("POST", SPECS, '{"data": 1}', 422),
        ("POST", SPECS, '{"kind": "nop", "namespace": "other"}', 422),
        ("PATCH", f"{SPECS}/pong", "[1]", 422),
        ("PATCH", f"{SPECS}/pong", "{", 400),
        ("PATCH", f"{SPECS}/pong", '{"id": "01890a5d-ac96-774b-bcce-b302099a8057"}', 422),
        ("PATCH", f"{SPECS}/pong", '{"kind": null}', 422),
        ("PATCH", f"{SPECS}/pong", '{"name": 5}', 422),
        ("GET", f"{SPECS}?cursor=nonsense", None, 400),
        ("GET", f"{SPECS}?id=nonsense", None, 400),
        ("GET", f"{SPECS}?limit=0", None, 400),
        ("GET", f"{SPECS}?limit=5&limit=6", None, 400),
        ("GET", "/v1/namespaces/not%20legal/specs", None, 400),
    ],
)
async def test_what_makes_no_sense_is_rejected(
    method: str, path: str, body: str | None, status: int
) -> None:
    async with managing() as one:
        reply = await one.call(method, path, body, headers={"Content-Type": "application/json"})
        assert reply.status == status, reply
        assert data(reply)["type"].startswith("urn:heddle:problem:")


async def test_names_with_odd_letters_are_found() -> None:
    async with managing() as one:
        for name in ("a b", "Größe", "a:b@c", "100%25".replace("%25", "+")):
            made = await one.call("POST", SPECS, {**PONG, "name": name})
            assert made.status == 201, made
            assert (await one.call("GET", made.headers["Location"])).status == 200


async def test_a_namespace_may_have_a_slash() -> None:
    async with managing() as one:
        made = await one.call("POST", "/v1/namespaces/team%2Fshop/specs", {**PONG, "name": "one"})
        assert made.headers["Location"] == "/v1/namespaces/team%2Fshop/specs/one"
        assert (await one.call.get(made.headers["Location"]))["namespace"] == "team/shop"


# --- values ---------------------------------------------------------------------------------------


async def test_a_secret_is_masked_and_revealed_to_whoever_may() -> None:
    async with managing() as one:
        masked = await one.call("GET", f"{VALUES}/password")
        assert data(masked)["data"] == "••••••"
        assert b"hunter2" not in (await one.call("GET", VALUES)).body
        shown = await one.call("GET", f"{VALUES}/password?reveal=true")
        assert data(shown)["data"] == "hunter2hunter2"
        assert shown.headers["Cache-Control"] == "no-store"
        assert [each.event for each in one.told].count("managed") == 1
        assert "hunter2" not in str(one.told)


async def test_a_masked_secret_is_never_stored() -> None:
    async with managing() as one:
        masked = await one.call.get(f"{VALUES}/password")
        same = await one.call("PUT", f"{VALUES}/password", masked)
        assert (same.status, data(same)["problems"][0]["code"]) == (422, "masked")
        patched = await one.call("PATCH", f"{VALUES}/password", {"annotations": {"a": "b"}})
        assert patched.status == 200
        assert b"hunter2" not in patched.body
        shown = await one.call.get(f"{VALUES}/password?reveal=true")
        assert (shown["data"], shown["annotations"]) == ("hunter2hunter2", {"a": "b"})


async def test_no_rejection_tells_a_secret() -> None:
    async with managing() as one:
        await one.call("PATCH", f"{VALUES}/password", {"data": "another-secret"})
        late = await one.call(
            "PUT",
            f"{VALUES}/password",
            {"data": "my-new-secret", "secret": True},
            headers={"If-Match": '"1"'},
        )
        assert late.status == 412
        for secret in (b"hunter2", b"another-secret", b"my-new-secret"):
            assert secret not in late.body
        history = await one.call("GET", f"{DEFAULT}/revisions")
        assert b"another-secret" not in history.body
        dry = await one.call("PATCH", f"{VALUES}/password?dryRun=true", {"data": "my-new-secret"})
        assert data(dry)["changes"][0]["details"]
        assert b"secret" not in dry.body.replace(b"dryRun", b"")


async def test_a_sealed_secret_stays_sealed_and_opens_to_whoever_may() -> None:
    keys = Keyring.of(new_key())
    async with managing(keys=keys) as one:
        made = await one.call("PUT", f"{VALUES}/new", {"data": "topsecret", "secret": True})
        assert made.status == 201
        assert "topsecret" not in made.text
        [kept] = [each for each in await one.rt.store.values() if each.name == "new"]
        assert (kept.data, keys.open(kept)) == (None, "topsecret")
        found = await one.call.get(f"{VALUES}/new")
        assert found["sealed"] == kept.sealed
        same = await one.call("PUT", f"{VALUES}/new", found)
        assert same.headers["ETag"] == made.headers["ETag"]
        assert (await one.call.get(f"{VALUES}/new?reveal=true"))["data"] == "topsecret"
        listed = await one.call.get(f"{VALUES}?reveal=true&name=new")
        assert listed["items"][0]["value"]["data"] == "topsecret"
        patched = await one.call("PATCH", f"{VALUES}/new", {"data": "other"})
        assert (patched.status, "other" in patched.text) == (200, False)
        assert (await one.call.get(f"{VALUES}/new?reveal=true"))["data"] == "other"
        noted = await one.call("PATCH", f"{VALUES}/new", {"annotations": {"a": "b"}})
        assert noted.status == 200
        assert (await one.call.get(f"{VALUES}/new?reveal=true"))["data"] == "other"


async def test_a_key_that_was_rotated_elsewhere_seals_and_opens_here_as_well(
    tmp_path: Path,
) -> None:
    """Where the API has a process of its own, no runtime looks for keys."""
    old, new, file = new_key(), new_key(), tmp_path / "keys"
    file.write_text(old.text)
    found = registry()
    found.keys = Keyring([KeyFile(str(file))])
    store = stored(PING)
    await store.open()
    async with system_runtime(store, found, serving=ApiSettings(port=0)) as system:
        call = Client(port_of(system))
        await call("PUT", f"{VALUES}/one", {"data": "hunter3", "secret": True})
        file.write_text(f"{new.text}\n{old.text}")
        rotated = Value(id=new_id(), name="rotated", data="hunter4", secret=True)
        await store.apply([Put(resource=Keyring.of(new).seal(rotated))])
        assert (await call.get(f"{VALUES}/rotated?reveal=true"))["data"] == "hunter4"
        await call("PUT", f"{VALUES}/two", {"data": "hunter5", "secret": True})
        sealed = {each.name: sealed_by(each.sealed) for each in await store.values()}
        assert (sealed["one"], sealed["two"]) == (old.id, new.id)
        assert (await call.get(f"{VALUES}/one?reveal=true"))["data"] == "hunter3"


async def test_awkward_data_comes_back_as_it_was() -> None:
    awkward: dict[str, Any] = {
        **AWKWARD,
        "huge": 2**80,
        "bytes": {"$bytes": "AP8="},
        "nan": {"$float": "-inf"},
        "marked": {"$map": {"$bytes": 1}},
    }
    async with managing() as one:
        made = await one.call("POST", VALUES, {"name": "awkward", "data": awkward})
        assert made.status == 201
        [kept] = [each for each in await one.rt.store.values() if each.name == "awkward"]
        assert kept.data["bytes"] == b"\x00\xff"
        assert kept.data["nan"] == float("-inf")
        assert kept.data["marked"] == {"$bytes": 1}
        found = await one.call.get(f"{VALUES}/awkward")
        assert found["data"] == awkward
        assert list(found["data"]) == list(awkward)
        again = await one.call("PUT", f"{VALUES}/awkward", found)
        assert again.headers["ETag"] == made.headers["ETag"]
        bad = await one.call("POST", VALUES, {"name": "bad", "data": {"$bytes": "%"}})
        assert bad.status == 422
