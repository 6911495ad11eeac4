"""Somebody sends a password with a request; wherever people look at that request, it is hidden."""

import asyncio
import io
import json
from pathlib import Path

import msgspec
import pytest

from heddle.cli.views.log import JsonLog, TextLog
from heddle.extensions.manage.system import ApiSettings, system_runtime
from heddle.runtime.runtime import Runtime
from heddle.specs.secrets import Redactor
from tests.support import fetch, port_of, stored

pytestmark = pytest.mark.anyio

SECRET = "Hunter2Zq9"

FLOW = """\
- {name: s, secret: true, data: 'Value7Xw3'}
- kind: listener
  name: listener
  port: 0
  ports: {out: {name: router}}
- kind: router
  name: router
  routes:
    - {method: POST, path: /throw, port: 'out[0]'}
    - {method: POST, path: /log, port: 'out[1]'}
    - {method: POST, path: /print, port: 'out[2]'}
    - {method: POST, path: /parts, port: 'out[3]'}
  ports:
    out[0]: {name: throw}
    out[1]: {name: log}
    out[2]: {name: print}
    out[3]: {name: parts}
- {kind: throw, name: throw}
- {kind: log, name: log, ports: {out: {name: done}}}
- {kind: print, name: print, ports: {out: {name: done}}}
- kind: log
  name: parts
  env: {S: {name: s}}
  event: 'came {{ .S }}'
  message: "'Authorization: ' + self.header.Authorization[0]"
  values: {header: self.header, body: self.body, url: "'https://ada:' + self.body.password + '@h/?token=' + self.body.password"}
  ports: {out: {name: done}}
- {kind: snippet, name: done, language: text, code: ok}
"""


async def test_no_output_shows_what_a_client_sent_as_a_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, lines = io.StringIO(), io.StringIO()
    store = stored(FLOW)
    async with (
        Runtime(store=store) as rt,
        system_runtime(store, rt.registry, [rt], serving=ApiSettings(port=0)) as api,
    ):
        rt.events.listen(TextLog(text, "debug"))
        rt.events.listen(JsonLog(lines, "debug"))
        asked = json.dumps({"statement": "SELECT * FROM frames"})
        sql = {"Content-Type": "application/json"}
        watched = await fetch(port_of(api), "/v1/sql", method="POST", headers=sql, body=asked)
        listening, writer = await asyncio.open_connection("127.0.0.1", port_of(api))
        writer.write(
            b"GET /v1/namespaces/default/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        await listening.readuntil(b"event: begin")
        headers = {
            "Authorization": f"Bearer {SECRET}",
            "Cookie": f"sid={SECRET}",
            "X-Api-Key": SECRET,
            "Content-Type": "application/json",
        }
        body = json.dumps({"password": SECRET, "text": json.dumps({"apiKey": SECRET}), "n": 1})
        for path in ("/throw", "/log", "/print", "/parts"):
            await fetch(port_of(rt), path, method="POST", headers=headers, body=body)
        shown = [text.getvalue(), lines.getvalue(), capsys.readouterr().out]
        for table in ("frames", "events", "processes", "symbols"):
            asked = json.dumps({"statement": f"SELECT * FROM {table}"})
            reply = await fetch(port_of(api), "/v1/sql", method="POST", headers=sql, body=asked)
            if watched.status == 200:
                assert reply.status == 200
                shown.append(reply.text)
        told = b""
        async with asyncio.timeout(20):
            while b"came" not in told:
                told += await listening.read(65536)
        shown.append(told.decode())
        writer.close()
        for path in ("symbols", "status", "processes"):
            reply = await fetch(port_of(api), f"/v1/namespaces/default/{path}")
            shown.append(reply.text)
    for each in shown:
        assert SECRET not in each
        assert "Value7Xw3" not in each
    assert all(word in shown[1] for word in ('"packet"', '"came ', '"Cookie"')), shown[1]
    if watched.status == 200:
        assert '"n":1' in shown[3].replace("\\", "")


async def test_settings_add_keys_and_show_others() -> None:
    lines = io.StringIO()
    redactor = Redactor(keys=["pin"], paths=["address.street"], allow=["token_type"])
    flow = "- {kind: log, name: log}\n"
    async with Runtime(store=stored(flow), redactor=redactor) as rt:
        rt.events.listen(JsonLog(lines, "info"))
        await rt.send(
            "log",
            {
                "userPin": "Aa1",
                "address": {"street": "Bb2", "city": "x"},
                "token_type": "bearer-kind",
                "token": "Cc3",
            },
        )
    [line] = [
        msgspec.json.decode(each) for each in lines.getvalue().splitlines() if "packet" in each
    ]
    payload = line["data"]["payload"]
    assert payload["token_type"] == "bearer-kind"
    assert payload["address"]["city"] == "x"
    assert not any(secret in lines.getvalue() for secret in ("Aa1", "Bb2", "Cc3"))


async def test_the_settings_of_a_file_reach_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heddle.cli.settings import load_settings

    (tmp_path / "heddle.toml").write_text(
        '[redact]\nkeys = ["pin"]\npaths = ["**.street"]\nallow = ["token_type"]\n'
    )
    monkeypatch.chdir(tmp_path)
    redactor = load_settings().redactor
    data = {"pin": 1, "a": {"street": "x"}, "token_type": "y"}
    assert redactor.redacted(data) == {
        "pin": "••••••",
        "a": {"street": "••••••"},
        "token_type": "y",
    }
