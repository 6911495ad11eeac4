"""The signature kind: what was signed comes through, what was not is denied, and both ends agree."""

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from time import time
from typing import Any

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.extensions.net.signatures.signing_scheme import (
    PRESETS,
    InvalidSignatureError,
    SigningScheme,
)
from heddle.runtime.assembly.check import check_specs
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text
from tests.support import Reply, fetch, port_of, running

pytestmark = pytest.mark.anyio

SECRET = "only an example"
CODED = "whsec_" + b64encode(b"a key of Standard Webhooks").decode()
BODY = '{"id":  7, "text": "ä"}'


def flow(said: str, code: str = "{'body': body.id}", secret: str = SECRET) -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: router}}}}
- {{kind: router, name: router, routes: [{{method: POST, path: '/:name', to: check}}]}}
- kind: signature
  name: check
  secrets: ['a new secret of ours', '{secret}']
  {said}
  ports: {{out: inside}}
- {{kind: snippet, name: inside, language: cel, code: "{code}"}}
"""


async def post(rt: Any, body: str = BODY, **headers: str) -> Reply:
    sent = {"Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await fetch(port_of(rt), "/hook", method="POST", headers=sent, body=body)


def signed(content: str, key: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content.encode(), algorithm).digest()


# --- presets ------------------------------------------------------------------------------------


async def test_github_signs_the_body_as_it_came() -> None:
    async with running(flow("preset: github")) as rt:
        right = f"sha256={signed(BODY).hex()}"
        reply = await post(rt, X_Hub_Signature_256=right)
        assert (reply.status, reply.body) == (200, b"7")
        # The same data in other bytes is something else.
        assert (await post(rt, '{"id":7,"text":"ä"}', X_Hub_Signature_256=right)).status == 401
        missing = await post(rt)
        assert missing.status == 401
        assert b"there is no signature in X-Hub-Signature-256" in missing.body
        for wrong in (
            right.removeprefix("sha256="),
            right.replace("sha256", "sha1"),
            right[:-1],
            f"{right[:-1]}{'0' if right[-1] != '0' else '1'}",
            "sha256=",
            "sha256=zz",
            "sha256=ä",
            f"{right}, {right}",
        ):
            assert (await post(rt, X_Hub_Signature_256=wrong)).status == 401, wrong


async def test_stripe_signs_the_time_and_may_send_several_signatures() -> None:
    now = int(time())

    def header(moment: int, *more: str) -> str:
        return ",".join((f"t={moment}", *more, f"v1={signed(f'{moment}.{BODY}').hex()}", "v0=ab"))

    async with running(flow("preset: stripe")) as rt:
        assert (await post(rt, Stripe_Signature=header(now))).status == 200
        assert (await post(rt, Stripe_Signature=header(now, "v1=00", "v1=zz"))).status == 200
        for moment in (now - 400, now + 400):
            reply = await post(rt, Stripe_Signature=header(moment))
            assert reply.status == 401
            assert b"too old, or of a later time" in reply.body
        other_time = header(now).replace(f"t={now}", f"t={now + 1}")
        assert (await post(rt, Stripe_Signature=other_time)).status == 401
        without = header(now).partition(",")[2]
        assert b"no time" in (await post(rt, Stripe_Signature=without)).body


def test_slack_signs_the_time_in_a_header_of_its_own() -> None:
    digest = signed("v0:1531420618:a=1&b=2").hex()
    headers = {"X-Slack-Signature": f"v0={digest}", "X-Slack-Request-Timestamp": "1531420618"}
    slack, key = PRESETS["slack"], SECRET.encode()
    slack.verify([key], b"a=1&b=2", lambda name: headers.get(name, ""), 1531420700)
    assert slack.sign(key, b"a=1&b=2", "", 1531420618.9) == headers


def test_github_agrees_with_what_its_documentation_shows() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    github = PRESETS["github"].sign(b"It's a Secret to Everybody", b"Hello, World!", "", 0)
    assert github == {"X-Hub-Signature-256": f"sha256={digest}"}


async def test_standard_webhooks_sign_id_time_and_body_with_a_coded_secret() -> None:
    key = b"a key of Standard Webhooks"
    now = int(time())
    right = b64encode(signed(f"msg_1.{now}.{BODY}", key)).decode()
    headers = {"Webhook_Id": "msg_1", "Webhook_Timestamp": str(now)}
    secrets = f"preset: standard\n  annotations: {{note: '{CODED}'}}"
    text = flow(secrets, secret=CODED).replace("'a new secret of ours', ", "")
    async with running(text) as rt:
        assert (await post(rt, **headers, Webhook_Signature=f"v1,{right}")).status == 200
        many = f"v1a,xx v1,AAAA v1,{right}"
        assert (await post(rt, **headers, Webhook_Signature=many)).status == 200
        other_id = {**headers, "Webhook_Id": "msg_2", "Webhook_Signature": f"v1,{right}"}
        assert (await post(rt, **other_id)).status == 401


def test_an_id_cannot_take_the_place_of_the_time() -> None:
    standard = PRESETS["standard"]
    old = standard.sign(b"key", b"2000000000.x", "msg", 1000)
    moved = {**old, "Webhook-Id": "msg.1000", "Webhook-Timestamp": "2000000000"}
    with pytest.raises(InvalidSignatureError, match="no id"):
        standard.verify([b"key"], b"x", lambda name: moved.get(name, ""), 2000000000)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)), "ä".encode() * 70_000])
def test_what_a_scheme_signs_it_verifies_and_nothing_else(preset: str, body: bytes) -> None:
    scheme = PRESETS[preset]
    headers = scheme.sign(b"key", body, "msg_1", 1_000_000)

    def verify(key: bytes, data: bytes, now: float) -> None:
        scheme.verify([b"other", key], data, lambda name: headers.get(name, ""), now)

    verify(b"key", body, 1_000_299)
    for key, data, now in ((b"kez", body, 1_000_000), (b"key", body + b"x", 1_000_000)):
        with pytest.raises(InvalidSignatureError):
            verify(key, data, now)
    if "{timestamp}" in scheme.content:
        with pytest.raises(InvalidSignatureError, match="too old"):
            verify(b"key", body, 1_000_301)


# --- one's own scheme ---------------------------------------------------------------------------


async def test_a_scheme_of_ones_own() -> None:
    said = """header: x-sig
  algorithm: sha512
  encoding: base64
  prefix: 'sig '
  content: '{timestamp}|{body}'
  timestamp_header: x-time
  tolerance: 10s"""
    now = int(time())
    digest = b64encode(signed(f"{now}|{BODY}", algorithm="sha512")).decode()
    async with running(flow(said)) as rt:
        assert (await post(rt, X_Sig=f"sig {digest}", X_Time=str(now))).status == 200
        assert (await post(rt, X_Sig=digest, X_Time=str(now))).status == 401
        old = b64encode(signed(f"{now - 20}|{BODY}", algorithm="sha512")).decode()
        assert (await post(rt, X_Sig=f"sig {old}", X_Time=str(now - 20))).status == 401


async def test_what_is_denied_may_go_elsewhere() -> None:
    text = flow("preset: github").replace("{out: inside}", "{out: inside, denied: no}")
    text += (
        "- {kind: snippet, name: no, language: cel, code: \"{'status': 403, 'body': 'go away'}\"}"
    )
    async with running(text) as rt:
        reply = await post(rt)
        assert (reply.status, reply.body) == (403, b"go away")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("mode: verify", "neither preset nor header"),
        ("{preset: github, prefix: x}", "both preset and prefix"),
        ("{header: X, content: nothing}", "a content without {body}"),
        ("{header: 'X Y'}", '"X Y"'),
        ("{header: X, tolerance: 5s}", "a tolerance, and no time is signed"),
        ("{header: X, content: '{timestamp}{body}'}", "{timestamp} in content without"),
        ("{header: X, id_header: Y}", "id_header without {id} in content"),
        ("preset: standard", "a secret that is not base64"),
    ],
)
def test_a_scheme_that_cannot_hold_is_a_problem(said: str, problem: str) -> None:
    fields = said.strip("{}").replace(", ", "\n  ") if said[0] == "{" else said
    reading = read_text(flow(fields), file="flow.yaml")
    problems = check_specs(reading.specs, ValueSet(()), installed(settings_of(None, ()))).problems
    assert any(problem in each.found for each in problems), problems


# --- raw ----------------------------------------------------------------------------------------


async def test_a_request_has_its_raw_body_beside_the_decoded_one() -> None:
    code = "{'body': [string(raw), string(size(raw)), string('raw' in self), string(body.id)]}"
    text = flow("preset: github", code).replace("out: router", "out: inside")
    async with running(text) as rt:
        assert json.loads((await post(rt)).body) == [BODY, str(len(BODY.encode())), "true", "7"]
    keys = flow("preset: github", "{'body': self.map(key, key)}").replace(
        "out: router", "out: inside"
    )
    async with running(keys) as rt:
        assert "raw" not in json.loads((await post(rt)).body)


async def test_a_body_that_is_not_raw_any_more_is_an_error() -> None:
    text = flow("preset: github").replace("to: check", "to: change")
    text += (
        "- {kind: snippet, name: change, language: cel, ports: {out: check},"
        " code: \"{'header': header, 'body': body}\"}"
    )
    async with running(text) as rt:
        reply = await post(rt, X_Hub_Signature_256=f"sha256={signed(BODY).hex()}")
        assert reply.status == 500


# --- signing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", sorted(PRESETS))
async def test_a_signed_request_is_verified_by_the_receiver(preset: str) -> None:
    secret = CODED if preset == "standard" else SECRET
    receiver = flow(f"preset: {preset}", secret=secret).replace("'a new secret of ours', ", "")
    async with running(receiver) as there:
        sender = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: sign}}}}
- kind: signature
  name: sign
  mode: sign
  preset: {preset}
  secrets: ['{secret}']
  ports: {{out: send}}
- {{kind: http, name: send, url: 'http://127.0.0.1:{port_of(there)}'}}
"""
        async with running(sender) as rt:
            for headers in (dict[str, str](), {"Webhook_Id": "msg_9"}):
                reply = await post(rt, **headers)
                assert (reply.status, reply.body) == (200, b"7")
        data = sender.replace("out: sign}", "out: data}") + (
            "- {kind: snippet, name: data, language: cel, ports: {out: sign},"
            " code: \"{'method': 'POST', 'path': '/hook', 'body': {'id': 8, 'text': 'ö'}}\"}"
        )
        async with running(data) as rt:
            assert (await post(rt)).body == b"8"


@pytest.mark.parametrize(
    "target", ["kind: http, name: send, url: '{}'", "kind: proxy, name: send, backends: ['{}']"]
)
async def test_what_is_signed_is_the_body_that_is_sent(target: str) -> None:
    receiver = flow("preset: github", code="{'body': string(body.id) + body.text + body.added}")
    async with running(receiver) as there:
        sender = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: check}}}}
- kind: validate
  name: check
  body: {{type: object, properties: {{added: {{type: string, default: '!'}}}}}}
  ports: {{out: sign}}
- kind: signature
  name: sign
  mode: sign
  preset: github
  secrets: ['{SECRET}']
  ports: {{out: send}}
- {{{target.format(f"http://127.0.0.1:{port_of(there)}")}}}
"""
        async with running(sender) as rt:
            reply = await post(rt)
            assert (reply.status, reply.body) == (200, "7ä!".encode())


def test_schemes_differ_in_every_part() -> None:
    plain = SigningScheme(header="X")
    digest = hmac.new(b"k", b"body", sha256).digest()
    assert plain.sign(b"k", b"body", "", 0) == {"X": digest.hex()}
    url = SigningScheme(header="X", encoding="base64url", prefix="p:")
    url.verify([b"k"], b"body", url.sign(b"k", b"body", "", 0).__getitem__, 0)
