"""Who is let in: tokens, roles, and callers of the same machine."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heddle.extensions.manage import access
from heddle.extensions.manage.access import is_local, name_of
from heddle.extensions.manage.caller import Role
from heddle.extensions.manage.system import SYSTEM, ApiSettings, system_runtime
from heddle.extensions.manage.tokens import PREFIX, ApiToken, hash_of, moment, new_token, value_of
from heddle.runtime.runtime import Runtime, ShiftError
from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.model.value import Value, ValueSource
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.remote.store import RemoteStore
from tests.extensions.manage.support import DEFAULT, PING, Client, data, managing
from tests.support import fetch, port_of, stored

pytestmark = pytest.mark.anyio

PONG = {"kind": "snippet", "language": "text", "code": "hello"}
PONG_ID = str(named_id("spec", "default", "pong"))
SECRET = f"{DEFAULT}/values/password"


async def test_without_a_token_the_same_machine_may_do_everything() -> None:
    async with managing() as one:
        assert (await one.call.get("/v1"))["roles"] == ["admin"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:7878"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:7878"}, 200),
        ({"Host": "heddle.localhost"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
async def test_a_page_of_another_site_is_not_of_the_same_machine(
    headers: dict[str, str], status: int
) -> None:
    async with managing() as one:
        reply = await one.call("GET", "/v1", headers=headers)
        assert reply.status == status
        cross = await one.call("PUT", f"{DEFAULT}/specs/pong", PONG, headers=headers)
        assert cross.status == status
        assert "Access-Control-Allow-Origin" not in reply.headers


async def test_with_the_first_token_everybody_needs_one() -> None:
    async with managing() as one:
        ada = await one.token("ada", "admin")
        nobody = await one.call("GET", "/v1")
        assert nobody.status == 401
        assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="heddle"'
        assert (await ada.get("/v1"))["caller"] == "ada"
        wrong = await Client(one.port, "heddle_wrong")("GET", "/v1")
        assert wrong.status == 401
        assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
        other_scheme = await one.call("GET", "/v1", headers={"Authorization": "Basic YTpi"})
        assert other_scheme.status == 401
        # A page of another site does not have the token, whatever name it uses.
        assert (await ada("GET", "/v1", headers={"Host": "heddle.example.com"})).status == 200


async def test_a_token_that_is_revoked_holds_no_longer() -> None:
    async with managing() as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "read")
        assert (await bob("GET", "/v1")).status == 200
        gone = await ada("DELETE", f"/v1/namespaces/{SYSTEM}/values/{PREFIX}bob")
        assert gone.status == 204
        await bob.until(401)
        assert (await ada("GET", "/v1")).status == 200


async def test_an_expired_token_lets_nobody_in_and_neither_does_a_broken_one() -> None:
    async with managing() as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "read")
        path = f"/v1/namespaces/{SYSTEM}/values/{PREFIX}bob"
        patched = await ada("PATCH", path, {"data": {"expires": "2001-01-01T00:00:00Z"}})
        assert patched.status == 200
        assert data(await bob.until(401))["detail"] == "the token has expired"
        # With none left that can be used the door stays shut: it was guarded.
        values = await one.rt.store.values(SYSTEM)
        await one.rt.store.apply(
            [
                Delete(type=Value, id=values[0].id),
                Put(resource=msgspec.structs.replace(values[1], data="no token at all")),
            ]
        )
        await ada.until(401)
        assert (await one.call("GET", "/v1")).status == 401


MAY: list[tuple[Role, str, str, Any, int]] = [
    ("read", "GET", f"{DEFAULT}/specs/pong", None, 200),
    ("read", "GET", f"{SECRET}?reveal=true", None, 403),
    ("read", "PUT", f"{DEFAULT}/specs/pong", PONG, 403),
    ("read", "DELETE", f"{DEFAULT}/values/password", None, 403),
    ("read", "POST", f"{DEFAULT}/apply", PONG, 403),
    ("read", "DELETE", f"{DEFAULT}/processes/01890a5d-ac96-774b-bcce-b302099a8057", None, 403),
    ("edit", "PUT", f"{DEFAULT}/specs/pong", PONG, 200),
    ("edit", "PUT", f"/v1/namespaces/{SYSTEM}/values/x", {"data": 1}, 403),
    ("edit", "GET", f"{SECRET}?reveal=true", None, 403),
    ("edit", "GET", f"{DEFAULT}/values?reveal=true", None, 403),
    ("edit", "DELETE", f"{DEFAULT}/processes/01890a5d-ac96-774b-bcce-b302099a8057", None, 403),
    ("operate", "PUT", f"{DEFAULT}/specs/pong", PONG, 403),
    ("operate", "DELETE", f"{DEFAULT}/processes/01890a5d-ac96-774b-bcce-b302099a8057", None, 404),
    ("admin", "GET", f"{SECRET}?reveal=true", None, 200),
    ("admin", "PUT", f"/v1/namespaces/{SYSTEM}/values/x", {"data": 1}, 201),
]


@pytest.mark.parametrize(("role", "method", "path", "body", "status"), MAY)
async def test_a_role_may_what_it_says(
    role: Role, method: str, path: str, body: Any, status: int
) -> None:
    async with managing() as one:
        client = await one.token("somebody", role)
        reply = await client(method, path, body)
        assert reply.status == status, reply
        if status == 403:
            assert "hunter2" not in reply.text
            assert [each.event for each in one.told][-1] == "managing rejected"


async def test_a_token_holds_in_its_namespaces_only() -> None:
    async with managing() as one:
        shop = await one.token("shop", "admin", namespaces=("shop",))
        assert (await shop("GET", f"{DEFAULT}/specs")).status == 403
        assert (await shop("PUT", "/v1/namespaces/shop/specs/one", PONG)).status == 201
        everything = await shop.get("/v1/specs")
        assert {each["spec"]["namespace"] for each in everything["items"]} == {"shop"}
        assert [each["name"] for each in (await shop.get("/v1/namespaces"))["items"]] == ["shop"]
        assert (await shop.get("/v1/values"))["items"] == []
        for revision in (await shop.get("/v1/revisions"))["items"]:
            for turn in revision["turns"]:
                assert turn["after"]["spec"]["namespace"] == "shop"
        assert (await shop("GET", "/v1/revisions/1")).status == 404
        assert (await shop("GET", "/v1/events")).status == 403
        smuggled = {"kind": "nop", "name": "x", "namespace": "default"}
        assert (await shop("POST", "/v1/namespaces/shop/apply", smuggled)).status == 403
        changes = {"changes": [{"put": smuggled}]}
        assert (await shop("POST", "/v1/store/changes", changes)).status == 403


async def test_an_id_of_another_namespace_is_out_of_reach() -> None:
    async with managing() as one:
        shop = await one.token("shop", "admin", namespaces=("shop",))
        id_ = str((await one.rt.store.specs("default"))[0].id)
        assert (await shop("GET", f"/v1/namespaces/shop/specs/{id_}")).status == 404
        thief = {**PONG, "id": id_, "namespace": "shop"}
        for reply in (
            await shop("POST", "/v1/namespaces/shop/apply", thief),
            await shop("POST", "/v1/namespaces/shop/specs", thief),
            await shop("PUT", f"/v1/namespaces/shop/specs/{id_}", PONG),
            await shop("POST", "/v1/store/changes", {"changes": [{"put": thief}]}),
            await shop(
                "POST", "/v1/store/changes", {"changes": [{"delete": {"type": "spec", "id": id_}}]}
            ),
        ):
            assert reply.status in (403, 409), reply
        assert str((await one.rt.store.specs("default"))[0].id) == id_


async def test_a_broken_route_leaves_the_api_there_at_the_next_start() -> None:
    store = stored(PING)
    async with managing(store=store):
        pass
    await store.open()
    broken = Spec(id=new_id(), kind="ruoter", namespace="system", name="router")
    await store.apply([Put(resource=broken)])
    async with managing(store=store) as one:
        assert (await one.call("GET", "/v1/kinds")).status == 200
        event = next(
            each
            for each in one.system.events.recent
            if each.event == "last accepted revision serves"
        )
        assert 'no kind "ruoter"' in str(event.problems)


async def test_health_says_which_source_waits_and_not_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = stored(PING.replace("code: pong", "code: '{{ W }}'\n  env: {W: {name: word}}"))
    await store.open()
    word = Value(id=new_id(), name="word", data="hi", source=ValueSource(env="HEDDLE_TEST_WORD"))
    monkeypatch.setenv("HEDDLE_TEST_WORD", "hi")
    await store.apply([Put(resource=word)])
    async with Runtime(store=store) as rt:
        assert await rt.send("pong") == "hi"
    monkeypatch.delenv("HEDDLE_TEST_WORD")
    await store.open()
    async with managing(store=store) as one:
        admin = await one.token("ada", "admin")
        for call in (one.call, admin):
            for path in ("/healthz", "/readyz"):
                reply = await call("GET", path)
                assert reply.status == 503
                said = data(reply)
                assert said["status"] == "unready"
                assert said["reason"].startswith("listener waits, and was active before")
                assert "flow.yaml" not in said["reason"]


async def test_health_needs_no_token_and_tells_nothing() -> None:
    async with managing() as one:
        await one.token("ada", "admin")
        for path in ("/healthz", "/readyz"):
            reply = await one.call("GET", path)
            assert (reply.status, reply.text) == (200, '{"status":"ok"}')


async def test_it_does_not_begin_where_others_can_reach_it_without_a_token() -> None:
    store = stored(PING)
    async with Runtime(store=store) as rt:
        open_to_all = ApiSettings(host="0.0.0.0", port=0)
        with pytest.raises(ShiftError, match=r"there is no token.+heddle token new"):
            async with system_runtime(store, rt.registry, [rt], serving=open_to_all):
                pass
    async with managing(store=stored(PING, _token()), serving=open_to_all) as one:
        assert (await one.call("GET", "/v1")).status == 401


async def test_names_that_it_may_be_called_are_kept_to() -> None:
    serving = ApiSettings(port=0, names=("heddle.example.com",))
    async with managing(serving=serving) as one:
        named = {"Host": "heddle.example.com:443"}
        assert (await one.call("GET", "/v1", headers=named)).status == 200
        assert (await one.call("GET", "/v1", headers={"Host": "localhost"})).status == 421


async def test_too_many_requests_are_turned_away() -> None:
    async with managing(serving=ApiSettings(port=0, rate=5)) as one:
        statuses = [(await one.call("GET", "/v1")) for _ in range(12)]
        late = [reply for reply in statuses if reply.status == 429]
        assert late
        assert data(late[0])["type"] == "urn:heddle:problem:too-many-requests"
        assert int(late[0].headers["Retry-After"]) >= 1
        assert (await one.call("GET", "/healthz")).status == 200


async def test_a_body_has_its_limit() -> None:
    async with managing(serving=ApiSettings(port=0, body=1000)) as one:
        reply = await one.call("PUT", f"{DEFAULT}/specs/pong", {**PONG, "code": "x" * 2000})
        assert reply.status == 413


async def test_who_did_what_stands_in_the_audit_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    async with managing(serving=ApiSettings(port=0, audit=str(file))) as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "read")
        await ada("PUT", f"{DEFAULT}/specs/pong", PONG)
        await ada("PUT", f"{DEFAULT}/specs/pong?dryRun=true", {**PONG, "code": "other"})
        await ada("GET", f"{SECRET}?reveal=true")
        await bob("PUT", f"{DEFAULT}/specs/pong", PONG)
        await bob("GET", f"{DEFAULT}/specs")
        await Client(one.port, "heddle_wrong")("GET", "/v1")
        newest = await one.rt.store.newest()
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    said = [(line["user"], line["operation"], line["status"]) for line in lines]
    assert said == [
        ("ada", "specs.replace", 200),
        ("ada", "values.get", 200),
        ("bob", "specs.replace", 403),
        ("", "access", 401),
    ]
    assert (lines[0]["names"], lines[0]["revision"]) == (["pong"], newest)
    assert lines[0]["remote"].startswith("127.0.0.1:")
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert b"hunter2" not in file.read_bytes()
    assert b"heddle_wrong" not in file.read_bytes()


async def test_whoever_comes_in_vain_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    async with managing() as one:
        await one.token("ada", "read")
        one.told.clear()
        monkeypatch.setattr(access, "monotonic", lambda: now[0])
        thief = Client(one.port, "heddle_wrong")
        for _ in range(access.REPORTED + 5):
            assert (await thief("GET", "/v1")).status == 401
        now[0] += 1
        await thief("GET", "/v1")
        told = [each for each in one.told if each.event == "managing rejected"]
        assert len(told) == access.REPORTED + 1
        assert told[-1].reason == "nobody knows this token (5 more were turned away before)"


async def test_who_hangs_up_stands_in_the_audit_file_as_well(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    async with managing(serving=ApiSettings(port=0, audit=str(file))) as one:
        ada = await one.token("ada", "edit")
        # It never says how far it has come: whoever waits for it waits.
        silent = Report(runtime="elsewhere/1", namespace="default", seen=time.time(), interval=60.0)
        assert isinstance(one.rt.store, ReportStore)
        await one.rt.store.report(silent)
        changed = asyncio.ensure_future(anext(aiter(one.rt.store.watch("default"))))
        await asyncio.sleep(0)
        body = msgspec.json.encode({**PONG, "name": "pong"})
        _, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(
            f"POST {DEFAULT}/apply?wait=60 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {ada.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await asyncio.wait_for(changed, 20)
        told = asyncio.ensure_future(one.system.events.wait("managed"))
        await asyncio.sleep(0)
        writer.close()
        async with asyncio.timeout(20):
            await told
        newest = await one.rt.store.newest()
    [line] = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert (line["user"], line["operation"], line["revision"]) == ("ada", "namespace.apply", newest)
    assert line["names"] == ["pong"]
    assert line["reason"] == "the client went away before the answer"


async def test_what_was_secret_is_not_shown_by_saying_that_it_is_none() -> None:
    async with managing() as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "edit")
        for path in (SECRET, f"{SECRET}?dryRun=true"):
            reply = await bob("PATCH", path, {"secret": False})
            assert (reply.status, "hunter2" in reply.text) == (403, False)
        assert (await bob("PATCH", SECRET, {"annotations": {"a": "b"}})).status == 200
        assert (await bob("PUT", SECRET, {"data": "public"})).status == 200
        assert (await ada("PATCH", SECRET, {"secret": True})).status == 200
        assert (await ada("PATCH", SECRET, {"secret": False})).status == 200


async def test_the_report_of_another_namespace_is_out_of_reach() -> None:
    async with managing() as one:
        shop = await one.token("shop", "operate", namespaces=("shop",))
        assert isinstance(one.rt.store, ReportStore)
        theirs = Report(runtime="a/1", namespace="default", seen=time.time(), interval=60.0)
        await one.rt.store.report(theirs)
        path = "/v1/reports/a%2F1"
        forged = {"runtime": "a/1", "namespace": "shop", "seen": time.time(), "interval": 60.0}
        assert (await shop("PUT", path, forged)).status == 403
        assert (await shop("DELETE", path)).status == 403
        assert theirs in await one.rt.store.reports("default")
        mine = {**forged, "runtime": "b/1"}
        assert (await shop("PUT", "/v1/reports/b%2F1", mine)).status == 204


@pytest.mark.parametrize(
    "odd", [{"interval": 1e300}, {"interval": 0}, {"pid": 10**30}, {"pid": -1}]
)
async def test_a_report_that_no_runtime_makes_is_rejected(odd: dict[str, Any]) -> None:
    said = {"runtime": "a/1", "namespace": "shop", "seen": time.time(), "interval": 5.0}
    async with managing() as one:
        assert (await one.call("PUT", "/v1/reports/a%2F1", {**said, **odd})).status == 422
        assert (await one.call("PUT", "/v1/reports/a%2F1", {**said, "seen": 1e12})).status == 204
        assert isinstance(one.rt.store, ReportStore)
        [kept] = await one.rt.store.reports("shop")
        assert kept.seen <= time.time()


async def test_nobody_finds_the_tokens_and_secrets_of_others_in_frames() -> None:
    pytest.importorskip("apsw")
    asked = {"statement": "SELECT * FROM frames"}
    async with managing() as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "operate")
        assert (await bob("POST", "/v1/sql", asked)).status == 200
        assert (await ada("GET", f"{SECRET}?reveal=true")).status == 200
        await ada("PUT", f"{DEFAULT}/values/new", {"data": "brandnew", "secret": True})
        await fetch(port_of(one.rt), "/ping")
        reply = await bob("POST", "/v1/sql", asked)
        assert {row["namespace"] for row in data(reply)["rows"]} == {"default"}
        for secret in (ada.token, bob.token, "hunter2", "brandnew"):
            assert secret not in reply.text


async def test_a_taken_id_does_not_tell_what_has_it() -> None:
    async with managing() as one:
        shop = await one.token("shop", "admin", namespaces=("shop",))
        id_ = str((await one.rt.store.values("default"))[0].id)
        reply = await shop("POST", "/v1/namespaces/shop/values", {"id": id_, "data": 1})
        assert reply.status == 409
        assert "password" not in reply.text
        assert "default" not in reply.text


async def test_the_history_names_the_token_whatever_a_request_says() -> None:
    async with managing() as one:
        ada, bob = await one.token("ada", "admin"), await one.token("bob", "edit")
        for client, name in ((bob, "bob"), (ada, "ada")):
            put = {**PONG, "name": "pong", "code": name, "id": PONG_ID}
            for author in ("root", "ada", "bob (as root)"):
                put["code"] = f"{name} {author}"
                sent = {"changes": [{"put": put}], "author": author}
                headers = {"X-Author": author, "Heddle-Author": author, "From": author}
                reply = await client("POST", "/v1/store/changes", sent, headers=headers)
                assert reply.status == 200
                [newest] = (await ada.get(f"{DEFAULT}/revisions?limit=1"))["items"]
                assert newest["author"] == name


async def test_a_remote_store_cannot_choose_its_author() -> None:
    pytest.importorskip("aiohttp")
    async with managing() as one:
        bob = await one.token("bob", "edit")
        store = RemoteStore(f"http://127.0.0.1:{one.port}", token=bob.token)
        await store.open()
        try:
            [pong] = [each for each in await store.specs("default") if each.name == "pong"]
            new = msgspec.structs.replace(pong, fields={**pong.fields, "code": "forged"})
            await store.apply([Put(resource=new)], Note(author="root", message="why"))
            [newest] = await store.history("default", limit=1)
            assert (newest.author, newest.message) == ("bob", "why")
            every = [Delete(type=Spec, id=each.id) for each in await store.specs("default")]
            await store.apply(every, Note(author="root"))
            [newest] = await store.history("default", limit=1)
            assert newest.author == "bob"
        finally:
            await store.close()


@pytest.mark.parametrize("way", ["api", "store", "rename"])
async def test_the_last_token_that_is_revoked_opens_nothing(way: str) -> None:
    async with managing() as one:
        ada = await one.token("ada", "admin")
        [token] = await one.rt.store.values(SYSTEM)
        if way == "api":
            gone = await ada("DELETE", f"/v1/namespaces/{SYSTEM}/values/{PREFIX}ada")
            assert gone.status == 204
        elif way == "store":
            await one.rt.store.apply([Delete(type=Value, id=token.id)])
        else:
            renamed = msgspec.structs.replace(token, name="no-token")
            await one.rt.store.apply([Put(resource=renamed)])
        for client in (one.call, ada):
            reply = await client("PUT", f"{DEFAULT}/specs/pong", PONG)
            assert reply.status == 401
        assert "heddle token new" in data(await one.call("GET", "/v1"))["detail"]
        again = system_runtime(one.rt.store, one.rt.registry, [one.rt], serving=ApiSettings(port=0))
        async with again:
            assert (await Client(port_of(again))("GET", "/v1")).status == 401
        bob = await one.token("bob", "read")
        assert (await bob("GET", "/v1")).status == 200


@pytest.mark.parametrize(
    "header", ["Bearer heddle_wrong", "Basic YTpi", "Bearer", "", "bearer  x", "Negotiate x"]
)
async def test_an_unknown_token_is_401_even_without_any_token(header: str) -> None:
    async with managing() as one:
        reply = await one.call("GET", "/v1", headers={"Authorization": header})
        assert reply.status == 401
        assert (await one.call("GET", "/v1")).status == 200


async def test_a_token_that_was_made_by_hand_and_removed_by_hand_counts(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: n}\n")
    tokens = tmp_path / "tokens.yaml"
    async with managing(store=FolderStore(tmp_path)) as one:
        assert (await one.call("GET", "/v1")).status == 200
        tokens.write_text(_token())
        await one.call.until(401)
        tokens.unlink()
        # Somebody may be in the midst of saving it.
        assert (await one.call("GET", "/v1")).status in (401, 503)
        assert (await one.call.until(200, 401)).status == 401
    # Another process knows it, too, as long as it was noticed.
    async with managing(store=FolderStore(tmp_path)) as one:
        reply = await one.call("GET", "/v1")
        assert reply.status == 401


async def test_a_token_of_another_process_counts_for_the_next_request(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: n}\n")
    other = FolderStore(tmp_path)
    await other.open()
    async with managing(store=FolderStore(tmp_path)) as one:
        assert (await one.call("GET", "/v1")).status == 200
        token = new_token()
        made = ApiToken(name="ada", hash=hash_of(token), roles=("read",))
        await other.apply([Put(resource=value_of(made, SYSTEM))])
        assert (await one.call("GET", "/v1")).status == 401
        assert (await Client(one.port, token)("GET", "/v1")).status == 200
        await other.apply([Delete(type=Value, id=value_of(made, SYSTEM).id)])
        gone = Client(one.port, token)
        assert (await gone("GET", "/v1")).status in (401, 503)
        assert (await gone.until(200, 401)).status == 401
    await other.close()


@pytest.mark.parametrize("broken", ["{hash: [", "\x00", "utf-16"])
async def test_tokens_that_cannot_be_read_let_nobody_in(tmp_path: Path, broken: str) -> None:
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: n}\n")
    (tmp_path / "system.yaml").write_text(_token() + broken)
    if broken == "utf-16":
        (tmp_path / "system.yaml").write_bytes(_token().encode("utf-16-le") + b"\xff")
    async with managing(store=FolderStore(tmp_path)) as one:
        reply = await one.call("GET", "/v1")
        assert reply.status in (401, 503)
        assert str(tmp_path) not in reply.text


async def test_a_history_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: n}\n")
    (tmp_path / ".heddle" / "history.jsonl").mkdir(parents=True)
    async with managing(store=FolderStore(tmp_path)) as one:
        assert (await one.call("GET", "/v1")).status == 503
        (tmp_path / ".heddle" / "history.jsonl").rmdir()
        assert (await one.call.until(200)).status == 200


async def test_a_broken_flow_does_not_close_the_door(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: [\n")
    async with managing(store=FolderStore(tmp_path)) as one:
        assert (await one.call("GET", "/v1")).status == 200


async def _streamed(client: Client, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    held = f"Authorization: Bearer {client.token}\r\n" if client.token else ""
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{held}\r\n".encode()
    )
    async with asyncio.timeout(20):
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"event: begin")
    return reader, writer


@pytest.mark.parametrize(
    "how", ["revoked", "expired", "fewer roles", "fewer namespaces", "made anew"]
)
async def test_a_stream_ends_with_its_token(how: str) -> None:
    async with managing() as one:
        await one.token("ada", "admin")
        bob = await one.token("bob", "read", "edit", namespaces=("default", "shop"))
        keeper = await one.token("keeper", "read", namespaces=("default",))
        theirs, mine = await _streamed(keeper, f"{DEFAULT}/events")
        reader, writer = await _streamed(bob, f"{DEFAULT}/events")
        [value] = [
            each for each in await one.rt.store.values(SYSTEM) if each.name == f"{PREFIX}bob"
        ]
        said: dict[str, Any] = dict(value.data) if isinstance(value.data, dict) else {}
        changed = {
            "expired": {"expires": moment(time.time() + 1)},
            "fewer roles": {"roles": ["read"]},
            "fewer namespaces": {"namespaces": ["shop"]},
            "made anew": {"hash": hash_of(new_token())},
        }
        new = msgspec.structs.replace(value, data={**said, **changed.get(how, {})})
        gone = Delete(type=Value, id=value.id)
        await one.rt.store.apply([gone if how == "revoked" else Put(resource=new)])
        async with asyncio.timeout(10):
            assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()
        # The stream of another token goes on.
        await one.rt.store.apply([Put(resource=(await one.rt.store.specs("default"))[0])])
        assert not theirs.at_eof()
        mine.close()


async def test_a_stream_without_a_token_ends_with_the_first_token() -> None:
    async with managing() as one:
        reader, writer = await _streamed(one.call, f"{DEFAULT}/events")
        await one.token("ada", "admin")
        async with asyncio.timeout(10):
            assert (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()


async def test_a_deleted_name_stands_in_the_audit_log() -> None:
    async with managing() as one:
        spare = {"kind": "nop", "name": "spare"}
        assert (await one.call("PUT", f"{DEFAULT}/specs/spare", spare)).status == 201
        [held] = [each for each in await one.rt.store.specs() if each.name == "spare"]
        gone = {"changes": [{"delete": {"type": "spec", "id": str(held.id)}}]}
        assert (await one.call("POST", "/v1/store/changes?check=false", gone)).status == 200
        told = [each for each in one.told if each.event == "managed"]
        assert told[-1].data["names"] == ["spare"]


async def test_no_door_of_api_takes_deletion_that_would_stop_what_is_active() -> None:
    async with managing() as one:
        [pong] = [each for each in await one.rt.store.specs() if each.name == "pong"]
        gone = {"changes": [{"delete": {"type": "spec", "id": str(pong.id)}}]}
        astray = {"kind": "router", "routes": [], "ports": {"out[0]": [{"name": "nobody"}]}}
        before = await one.rt.store.newest()
        for reply in (
            await one.call("DELETE", f"{DEFAULT}/specs/pong"),
            await one.call("DELETE", f"{DEFAULT}/specs/pong?dryRun=true"),
            await one.call("POST", "/v1/store/changes", gone),
            await one.call("POST", "/v1/store/changes?check=false", gone),
            await one.call("PUT", f"{DEFAULT}/specs/router", astray),
            await one.call("PUT", f"{DEFAULT}/specs/router?dryRun=true", astray),
            await one.call("POST", f"{DEFAULT}/apply?dryRun=true", {**astray, "name": "router"}),
        ):
            assert reply.status == 422, reply
        assert await one.rt.store.newest() == before


async def test_who_made_a_revision_is_kept_with_it() -> None:
    async with managing() as one:
        ada = await one.token("ada", "edit")
        await ada("PUT", f"{DEFAULT}/specs/pong?message=because", PONG)
        [newest] = (await ada.get(f"{DEFAULT}/revisions?limit=1"))["items"]
        assert (newest["author"], newest["message"]) == ("ada", "because")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("localhost.", True),
        ("0.0.0.0", False),
        ("", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
async def test_what_is_of_this_machine(host: str, local: bool) -> None:
    assert is_local(host) is local


async def test_the_name_in_a_host_header() -> None:
    assert [name_of(one) for one in ("A:80", "[::1]:80", "[::1]", "a", "::1")] == [
        "a",
        "::1",
        "::1",
        "a",
        "::1",
    ]


def _token() -> str:
    return """\
- namespace: system
  name: token.ada
  data: {hash: 'sha256:00', roles: [admin]}
"""


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example/v1", 421),
        ("http://evil.example:7878/v1", 421),
        ("HTTP://127.0.0.1.evil.example/v1", 421),
        ("http://localhost/v1", 200),
        ("http://127.0.0.1:80/v1", 200),
        ("http://localho\u017ft/v1", 400),
        ("http://user@localhost/v1", 400),
    ],
)
async def test_the_host_of_an_absolute_target_counts_and_not_the_header(
    target: str, status: int
) -> None:
    async with managing() as one:
        # Twice: heads that repeat are remembered, and must not be mixed up.
        for _ in range(2):
            reply = await one.call("GET", target, headers={"Host": "localhost"})
            assert reply.status == status
            assert (await one.call("GET", "/v1", headers={"Host": "localhost"})).status == 200
        reply = await one.call("GET", "http://localhost/v1", headers={"Host": "evil.example"})
        assert reply.status == 200


async def test_one_connection_does_not_mix_up_hosts() -> None:
    async with managing() as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        for target, status in (
            ("/v1", b"200"),
            ("http://evil.example/v1", b"421"),
            ("/v1", b"200"),
            ("http://localhost/v1", b"200"),
        ):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split(b" ")[1] == status
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
        writer.close()


@pytest.mark.parametrize(
    "path", ["//v1", "/%2Fv1", "/v1%2Fnamespaces", "/v1//namespaces", "/%2e/v1", "/V1", "/v1/."]
)
async def test_a_path_of_the_api_has_one_spelling(path: str) -> None:
    async with managing() as one:
        assert (await one.call("GET", path)).status in (400, 404)


BEHIND = """\
- kind: listener
  namespace: system
  name: mine
  port: 0
  ports: {out: {name: mine.access}}
- kind: access
  namespace: system
  name: mine.access
  ports: {out: {name: socket}}
- {kind: websocket, namespace: system, name: socket}
"""


async def test_a_websocket_ends_with_its_token() -> None:
    async with managing(store=stored(PING, BEHIND)) as one:
        bob = await one.token("bob", "read")
        [where] = [
            each.data["url"]
            for each in one.system.events.recent
            if each.event == "listening" and each.symbol == "mine"
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(where.rpartition(":")[2]))
        writer.write(
            f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bob.token}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        async with asyncio.timeout(20):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            [value] = await one.rt.store.values(SYSTEM)
            await one.rt.store.apply([Delete(type=Value, id=value.id)])
            # A closing frame comes: nobody speaks here any more.
            assert (await reader.readexactly(1)) == b"\x88"
        writer.close()
