"""A secret is planted, and every output that there is gets its chance to show it; none does."""

import asyncio
import base64
import html
import json
import traceback
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from heddle.cli.views.problem_report import report
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from heddle.specs.model.mask import MASK
from heddle.specs.model.store import Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import key_of, new_key
from heddle.specs.stores.memory import MemoryStore
from tests.cli.support import PATIENCE, heddle, started
from tests.extensions.manage.support import DEFAULT, Client, managing
from tests.support import fetch, stored

CORE = "hunter2zq"
SECRET = f'{CORE}"pa/ss+ä&{CORE}'
PIN = 98172634

VALUES = f"""\
- name: password
  secret: true
  data: {{pw: '{SECRET}', pin: {PIN}, lines: "first-{CORE}\\nsecond-{CORE}"}}
"""

FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports: {out: {name: router}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /raise, port: 'out[0]'}
    - {method: GET, path: /throw, port: 'out[1]'}
    - {method: GET, path: /print, port: 'out[2]'}
    - {method: GET, path: /sql, port: 'out[3]'}
    - {method: GET, path: /call, port: 'out[4]'}
  ports:
    out[0]: {name: raise}
    out[1]: {name: secret}
    out[2]: {name: shown}
    out[3]: {name: query}
    out[4]: {name: client}
- kind: snippet
  name: raise
  language: python
  env: {P: {name: password}}
  code: |
    def main(payload):
        raise ValueError('''{{ .P.pw }}''', {{ .P.pin }}, '''{{ .P.pw | upper }}''')
- kind: snippet
  name: secret
  language: text
  env: {P: {name: password}}
  code: '{{ .P.pw }} {{ .P.pin }}'
  ports: {out: {name: thrown}}
- {kind: throw, name: thrown}
- kind: snippet
  name: shown
  language: python
  env: {P: {name: password}}
  code: |
    import base64, json
    def main(payload):
        text = '''{{ .P.pw }}'''
        print(text)
        return [text, json.dumps(text), {{ .P.pin }}, base64.b64encode(b'ada:' + text.encode()).decode(),
                '''{{ .P.lines }}'''.splitlines()]
  ports: {out: {name: logged}}
- {kind: log, name: logged, event: said, values: {what: self}, ports: {out: {name: printed}}}
- {kind: print, name: printed, format: json, ports: {out: {name: done}}}
- {kind: snippet, name: done, language: text, code: done}
- kind: sql
  name: query
  source: '/nowhere/{{ .P.pw }}/app.db'
  statement: SELECT 1
  env: {P: {name: password}}
- kind: http
  name: client
  url: 'http://127.0.0.1:1/{{ .P.pw | urlencode }}?pin={{ .P.pin }}'
  env: {P: {name: password}}
"""

BROKEN = """\
- {kind: snippet, name: wrong_language, language: '{{ .P.pw }}', code: x, env: {P: {name: password}}}
- {kind: listener, name: wrong_port, port: '{{ .P.pw }}', env: {P: {name: password}}}
- {kind: router, name: wrong_field, routes: [{path: '{{ .P.pw }}', oops: 1}], env: {P: {name: password}}}
- {kind: snippet, name: wrong_code, language: python, code: "def {{ .P.pw }} ) {{ .P.pin }}", env: {P: {name: password}}}
- {kind: sleep, name: wrong_blank, interval: '{{ .P.pw | int }}', env: {P: {name: password}}}
- {kind: snippet, name: wrong_key, language: text, code: '{{ .P.nope }}', env: {P: {name: password}}}
"""

TESTS = """\
- kind: test
  name: fails
  ports: {'out[0]': {name: secret}, 'out[1]': {name: expected}}
- {kind: assert, name: expected, expect: "self[0] == 'x'"}
- kind: test
  name: compares
  ports: {'out[0]': {name: raw}, 'out[1]': {name: same}}
- {kind: snippet, name: raw, language: text, env: {P: {name: password}}, code: '{{ .P.pw }}'}
- {kind: assert, name: same, expect: "self[0] == 'x'"}
"""


def traces() -> list[str]:
    """Return what would give the secret away, in every form that it may take."""
    pieces = [CORE, CORE.upper(), str(PIN), CORE.encode().hex()]
    for before in ("", "a", "ab"):
        encoded = base64.b64encode(f"{before}{CORE}".encode()).decode()
        pieces.append(encoded[4:-4] if before else encoded[:-4])
    return pieces


def leaks(shown: str) -> list[str]:
    """Return where it shows, with what stands around it."""
    found = [(piece, shown.find(piece)) for piece in traces()]
    return [f"{piece}: …{shown[max(at - 80, 0) : at + 80]}…" for piece, at in found if at >= 0]


def test_the_hunt_finds_what_it_looks_for() -> None:
    for way in (str, json.dumps, repr, quote, html.escape, str.upper):
        assert leaks(f"before {way(SECRET)} after")
    assert leaks(base64.b64encode(f"ada:{SECRET}".encode()).decode())
    assert leaks(f"{PIN}")
    assert not leaks(f"{MASK} hunter2 zq")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with a folder store in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "flow.yaml").write_text(FLOW)
    (tmp_path / "flows" / "values.yaml").write_text(VALUES)
    (tmp_path / "heddle.toml").write_text('store = "flows"\n')
    return tmp_path


COMMANDS = [
    "test --junit junit.xml",
    "test --json",
    "check flows",
    "check flows broken.yaml",
    "check flows broken.yaml --json",
    "get specs --yaml",
    "get values",
    "get values --json",
    "get values --yaml",
    "plan -f broken.yaml -f changed.yaml",
    "plan -f broken.yaml --json",
    "plan values -f changed.yaml --json",
    "apply -f broken.yaml -f changed.yaml",
    "apply -f broken.yaml --json",
    "apply values -f changed.yaml --dry-run",
    "apply values -f changed.yaml -m why",
    "apply values -f invalid.yaml",
    "check invalid.yaml",
    "history",
    "history --json",
    "show now",
    "show now --json",
    "show password",
    "show password --json",
    "diff now~1 now",
    "diff now~1 now --json",
    "diff flows/values.yaml changed.yaml",
    "diff flows/values.yaml changed.yaml --json",
    "rollback now~1 --dry-run",
    "rollback now~1 --json",
    "status",
    "status --json",
    "graph flows",
    "graph flows --json",
    "value set password --format json -f wrong.json",
    "key list",
    "key rotate",
    "delete values password --dry-run",
    "delete values password --json",
]


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "sealed"])
def test_no_command_shows_it(home: Path, sealed: bool) -> None:
    if sealed:
        (home / "heddle.toml").write_text('store = "flows"\n[secrets]\nkey_file = "keys"\n')
        assert heddle("key", "new").exit_code == 0
        assert heddle("key", "rotate", "--clear").exit_code == 0
        assert not leaks((home / "flows" / "values.yaml").read_text())
    (home / "flows" / "tests.yaml").write_text(TESTS)
    (home / "broken.yaml").write_text(BROKEN)
    (home / "changed.yaml").write_text(VALUES.replace("pw:", "word:"))
    (home / "invalid.yaml").write_text(VALUES.replace("secret: true", "secret: true\n  oops: 1"))
    (home / "wrong.json").write_text(f'{{"pw": "{CORE}"')
    shown: dict[str, list[str]] = {}
    codes = set()
    for line in COMMANDS:
        result = heddle(*line.split(), "--debug")
        shown[line] = leaks(result.output)
        codes.add(result.exit_code)
    shown["junit"] = leaks((home / "junit.xml").read_text())
    assert {line: found for line, found in shown.items() if found} == {}
    assert MASK in (home / "junit.xml").read_text()
    assert {0, 1} <= codes
    if sealed:
        held = [each for each in (home / "flows").rglob("*") if each.is_file()]
        assert [str(each) for each in held if leaks(each.read_text(errors="replace"))] == []


def test_what_is_revealed_is_what_the_hunt_looks_for(home: Path) -> None:
    assert leaks(heddle("get", "values", "--reveal").output)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "sealed"])
def test_no_log_shows_it(home: Path, form: str, sealed: bool) -> None:
    env = {}
    if sealed:
        key = heddle("key", "new", "-o", "-").stdout.strip()
        env = {"HEDDLE_KEY": key}
        assert heddle("key", "rotate", "--clear", env=env).exit_code == 0
    (home / "flows" / "broken.yaml").write_text(BROKEN)
    args = ("flows", "--log-format", form, "--log-level", "debug")
    answers, statuses, lines = "", [], []
    with started(*args, cwd=home, env=env) as one:
        port = 0
        while not port or "runtime started" not in lines[-1]:
            lines.append(one.line())
            if " listening" in lines[-1] or '"listening"' in lines[-1]:
                port = int(lines[-1].rpartition("127.0.0.1:")[2].partition('"')[0].split()[0])
        for path in ("raise", "throw", "print", "sql", "call"):
            reply = asyncio.run(fetch(port, f"/{path}"))
            statuses.append(reply.status)
            answers += f"{reply.headers} {reply.text}\n"
        assert one.stop() == 0
        while not one._lines.empty() and (line := one._lines.get(timeout=PATIENCE)) is not None:
            lines.append(line)
        lines.append(one.errors())
    log = "".join(lines)
    assert leaks(log) == []
    assert leaks(answers) == []
    assert [status >= 500 for status in statuses] == [True, True, False, True, True]
    assert "specs left out" in log
    assert "said" in log
    assert log.count(MASK) > 10


@pytest.mark.anyio
async def test_nothing_in_a_program_shows_it_by_itself() -> None:
    keys = Keyring.of(new_key())
    store = stored(FLOW + BROKEN, VALUES)
    await store.open()
    [value] = await store.values()
    await store.apply([Put(resource=keys.seal(value))])
    async with Runtime(store=store, keys=keys) as rt:
        watch = rt.agent.watch()
        answers = [await rt.send(name) for name in ("raise", "secret", "query", "client")]
        for answer in answers:
            assert isinstance(answer, Error)
            rt.events.failed("a flow failed", answer)
        status = rt.status()
        told = rt.report()
        shown = {
            "status": repr(status) + str(msgspec.json.encode(status, enc_hook=str)),
            "report": repr(told) + str(msgspec.json.encode(told, enc_hook=str)),
            "problems": report(status.problems),
            "events": repr(rt.events.recent),
            "values": repr(await store.values()) + repr(value),
            "symbols": repr([symbol.binding for symbol in rt.table.all()]),
            "frames": repr(
                [rt.events.mask([frame.payload, frame.answer]) for frame in watch.frames]
            ),
            "vault": repr(vars(rt.vault)) + repr(rt.vault.keys),
        }
        assert {name: found for name, text in shown.items() if (found := leaks(text))} == {}
        assert watch.frames
        errors = [answer.cause for answer in answers if isinstance(answer, Error) and answer.cause]
        told_in_full = "".join("".join(traceback.format_exception(each)) for each in errors)
        assert leaks(rt.events.mask(told_in_full)) == []


@pytest.mark.anyio
async def test_the_api_shows_it_only_to_whoever_may_see_it() -> None:
    store = MemoryStore([each for text in (FLOW, VALUES) for each in (await _resources(text))])
    async with managing(store=store) as both:
        seen = await _asked(both.call)
        revealed = await both.call("GET", f"{DEFAULT}/values/password?reveal=true")
        events = repr(both.told) + repr(both.rt.events.recent) + repr(both.system.events.recent)
    assert {path: found for path, text in seen.items() if (found := leaks(text))} == {}
    assert leaks(events) == []
    assert leaks(revealed.text)


@pytest.mark.anyio
async def test_the_api_gives_away_nothing_that_is_sealed() -> None:
    key = key_of(new_key().text)
    resources = [each for text in (FLOW, VALUES) for each in (await _resources(text))]
    store = MemoryStore(
        [Keyring.of(key).seal(each) if isinstance(each, Value) else each for each in resources]
    )
    async with managing(store=store, keys=Keyring.of(key)) as both:
        seen = await _asked(both.call)
        revealed = await both.call("GET", f"{DEFAULT}/values/password?reveal=true")
        put = await both.call("PUT", f"{DEFAULT}/values/other", {"data": SECRET, "secret": True})
        assert put.status == 201, put
        kept = {each.name: each for each in await store.values()}
    assert {path: found for path, text in seen.items() if (found := leaks(text))} == {}
    assert leaks(revealed.text)
    assert leaks(put.text) == []
    assert kept["other"].sealed
    assert kept["other"].data is None


async def _resources(text: str) -> list[Resource]:
    store = stored(text)
    await store.open()
    return [*await store.specs(), *await store.values()]


async def _asked(call: Client) -> dict[str, str]:
    """Return what the API says to everything that somebody without a right to secrets may ask."""
    changed = VALUES.replace("pw:", "word:")
    yaml = "application/yaml"
    said = {
        path: (await call("GET", path)).text
        for path in (
            f"{DEFAULT}/specs",
            f"{DEFAULT}/values",
            f"{DEFAULT}/values/password",
            f"{DEFAULT}/status",
            f"{DEFAULT}/symbols",
            f"{DEFAULT}/symbols/raise",
            f"{DEFAULT}/revisions",
            f"{DEFAULT}/processes",
            "/v1/values",
            "/v1/revisions",
        )
    }
    for name, method, path, body in (
        ("apply broken", "POST", f"{DEFAULT}/apply", BROKEN + changed),
        ("apply dry", "POST", f"{DEFAULT}/apply?dryRun=true", changed),
        ("apply", "POST", f"{DEFAULT}/apply", changed),
        ("put invalid", "PUT", f"{DEFAULT}/values/password", changed.replace("- name", "  name")),
    ):
        said[name] = (await call(method, path, body, media=yaml)).text
    said["after"] = (await call("GET", f"{DEFAULT}/revisions")).text
    said["newest"] = (await call("GET", "/v1/revisions/2")).text
    return said
