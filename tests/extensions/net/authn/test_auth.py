"""The auth kind: who is let through, and what the others are told."""

import base64
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support import Reply, change, fetch, port_of, running

pytestmark = pytest.mark.anyio

SECRET = "a secret of at least thirty-two bytes"


def flow(said: dict[str, Any], code: str = "auth") -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: auth, port: in}}}}}}
- kind: auth
  name: auth
  ports: {{out: {{name: inside, port: in}}}}
  <<: {json.dumps(said)}
- {{kind: snippet, name: inside, language: cel, code: "{{'body': {code}}}"}}
"""


async def ask(rt: Any, authorization: str = "", path: str = "/", **headers: str) -> Reply:
    if authorization:
        headers["Authorization"] = authorization
    return await fetch(port_of(rt), path, headers=headers)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def signed(
    key: Any = SECRET,
    algorithm: str = "HS256",
    *,
    exp_in: float = 60,
    nbf_in: float | None = None,
    **claims: Any,
) -> str:
    """Return a token that expires, and is valid, so many seconds from now."""
    kid = claims.pop("kid", None)
    now = time.time()
    nbf = now + nbf_in if nbf_in is not None else None
    said = {"sub": "ada", "exp": now + exp_in, "nbf": nbf, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    headers = {"kid": kid} if kid else None
    return "Bearer " + jwt.encode(said, key, algorithm=algorithm, headers=headers)


async def test_who_knows_the_password_is_let_through() -> None:
    users = {"ada": "päss:word", "bob": "x"}
    async with running(flow({"basic": users, "realm": "house"})) as rt:
        reply = await ask(rt, basic("ada", "päss:word"))
        assert json.loads(reply.body) == {"scheme": "basic", "user": "ada"}
        for wrong in (
            "",
            basic("ada", "x"),
            basic("nobody", "x"),
            basic("nobody", ""),
            "Basic !!!",
            "Basic " + base64.b64encode(b"ada").decode(),
            "Basic",
            "Bearer x",
            "Digest x",
        ):
            reply = await ask(rt, wrong)
            assert reply.status == 401, wrong
            assert reply.headers["WWW-Authenticate"] == 'Basic realm="house", charset="UTF-8"'


async def test_who_has_a_token_is_let_through() -> None:
    async with running(flow({"bearer": {"ci": "token-1", "ops": "token-2"}})) as rt:
        reply = await ask(rt, "bearer token-2")
        assert json.loads(reply.body) == {"scheme": "bearer", "user": "ops"}
        reply = await ask(rt)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, 'Bearer realm="heddle"')
        reply = await ask(rt, "Bearer token-3")
        assert reply.status == 401
        assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
        assert (await ask(rt, basic("ci", "token-1"))).status == 401


@pytest.mark.parametrize(
    ("more", "token", "why"),
    [
        ({}, signed, None),
        ({}, partial(signed, exp_in=-10), "expired"),
        ({"leeway": "1m"}, partial(signed, exp_in=-10), None),
        ({}, partial(signed, exp=None), "does not say exp"),
        ({"require": []}, partial(signed, exp=None), None),
        ({"require": ["exp", "sub"]}, partial(signed, sub=None), "does not say sub"),
        ({}, partial(signed, nbf_in=60), "not valid yet"),
        ({}, partial(signed, iat=4_000_000_000), None),
        ({}, partial(signed, iat="tomorrow"), None),
        ({"require": ["iat"]}, signed, "does not say iat"),
        ({}, partial(signed, exp="4000000000"), "exp is not a number"),
        ({}, partial(signed, exp=True), "expired"),
        ({}, partial(signed, exp=float("inf")), "not valid"),
        ({}, partial(signed, exp=4_000_000_000.5), None),
        ({"require": []}, partial(signed, nbf="0"), "nbf is not a number"),
        ({}, partial(signed, "another secret of thirty-two bytes, or so"), "not valid"),
        ({}, partial(signed, SECRET * 2, "HS512"), "not valid"),
        ({}, "Bearer " + jwt.encode({"sub": "ada"}, None, algorithm="none"), "not valid"),  # pyright: ignore[reportArgumentType] - not in the types of jwt
        ({}, "Bearer a.b.c", "not valid"),
        ({}, "Bearer ", "not valid"),
        ({"issuer": "us"}, partial(signed, iss="us"), None),
        ({"issuer": "us"}, partial(signed, iss="them"), "not for us"),
        ({"issuer": "us"}, signed, "does not say iss"),
        ({"audience": ["a", "b"]}, partial(signed, aud=["b"]), None),
        ({"audience": ["a"]}, partial(signed, aud="c"), "not for us"),
        ({}, partial(signed, aud="c"), "not for us"),
    ],
)
async def test_a_signed_token_is_believed_only_if_all_of_it_is_right(
    more: dict[str, Any], token: str | Callable[[], str], why: str | None
) -> None:
    # Signed here: a token made when the tests are collected is old when its turn comes.
    token = token() if callable(token) else token
    said = {"jwt": {"algorithms": ["HS256"], "key": SECRET, **more}}
    async with running(flow(said)) as rt:
        reply = await ask(rt, token)
    if why is None:
        assert json.loads(reply.body)["scheme"] == "jwt"
    else:
        assert reply.status == 401
        assert why in reply.headers["WWW-Authenticate"]


def pem_of(key: Any) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


async def test_a_public_key_verifies_and_never_signs() -> None:
    key = rsa.generate_private_key(65537, 2048)
    async with running(flow({"jwt": {"algorithms": ["RS256"], "key": pem_of(key)}})) as rt:
        reply = await ask(rt, signed(key, "RS256"))
        assert json.loads(reply.body)["claims"]["sub"] == "ada"
        # Whoever knows the public key makes a token with it as if it were a shared secret.
        head, body = (
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "ada", "exp": time.time() + 60})
        )
        import hashlib
        import hmac

        mac = hmac.new(pem_of(key).encode(), head + b"." + body, hashlib.sha256).digest()
        forged = b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()
        assert (await ask(rt, f"Bearer {forged}")).status == 401


async def test_a_file_of_keys_is_read_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heddle.extensions.net.authn import jwt as checking

    def entry(key: Any, kid: str) -> dict[str, Any]:
        found = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(  # pyright: ignore[reportAttributeAccessIssue] - not in the types of jwt
            key.public_key(), as_dict=True
        )
        return {**found, "kid": kid, "use": "sig"}

    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [entry(first, "one"), {"kty": "strange"}]}))
    monkeypatch.setattr(checking, "_LOOK", 0.0)
    async with running(flow({"jwt": {"algorithms": ["ES256"], "jwks": str(file)}})) as rt:
        assert (await ask(rt, signed(first, "ES256", kid="one"))).status == 200
        assert (await ask(rt, signed(first, "ES256"))).status == 200
        assert (await ask(rt, signed(second, "ES256", kid="two"))).status == 401
        file.write_text(json.dumps({"keys": [entry(first, "one"), entry(second, "two")]}))
        assert (await ask(rt, signed(second, "ES256", kid="two"))).status == 200
        file.write_text("broken")
        assert (await ask(rt, signed(second, "ES256", kid="two"))).status == 200


async def test_a_token_may_come_in_a_cookie_or_in_the_query() -> None:
    said = {"bearer": {"ci": "t"}, "cookie": "session", "query": "token"}
    async with running(flow(said, "auth.user")) as rt:
        assert (await ask(rt, Cookie="a=b; session=t")).text == "ci"
        assert (await ask(rt, path="/?token=t")).text == "ci"
        assert (await ask(rt, Cookie="session=x")).status == 401
        assert (await ask(rt, "Basic x", Cookie="session=t")).status == 401


async def test_who_is_known_and_not_allowed_is_forbidden() -> None:
    said = {"basic": {"ada": "a", "bob": "b"}, "allow": "self.auth.user == 'ada'"}
    async with running(flow(said, "auth.user")) as rt:
        assert (await ask(rt, basic("ada", "a"))).text == "ada"
        assert (await ask(rt, basic("bob", "b"))).status == 403


async def test_who_says_nothing_may_go_on_where_that_is_optional() -> None:
    async with running(flow({"bearer": {"ci": "t"}, "optional": True})) as rt:
        assert (await ask(rt)).text == ""
        assert (await ask(rt, "Bearer x")).status == 401


async def test_a_request_that_was_checked_is_still_echoed_without_its_secrets() -> None:
    text = flow({"bearer": {"ci": "t"}}).replace(
        "kind: snippet, name: inside, language: cel, code: \"{'body': auth}\"",
        "kind: snippet, name: inside, language: cel, code: self",
    )
    async with running(text) as rt:
        reply = await ask(rt, "Bearer t")
    assert (reply.status, reply.body) == (200, b"")
    assert "Bearer" not in str(reply.headers)


async def test_a_changed_password_is_live_at_once() -> None:
    async with running(flow({"basic": {"ada": "old"}})) as rt:
        await change(rt, flow({"basic": {"ada": "new"}}))
        assert (await ask(rt, basic("ada", "old"))).status == 401
        assert (await ask(rt, basic("ada", "new"))).status == 200


KEY = pem_of(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, "auth"),
        ({"basic": {"a:b": "x"}}, "auth.basic"),
        ({"jwt": {"algorithms": ["HS256"]}}, "auth.jwt"),
        ({"jwt": {"algorithms": ["none"], "key": SECRET}}, "auth.jwt.algorithms[0]"),
        ({"jwt": {"algorithms": ["HS256", "ES256"], "key": SECRET}}, "auth.jwt.algorithms"),
        ({"jwt": {"algorithms": ["HS256"], "key": "short"}}, "auth.jwt.key"),
        ({"jwt": {"algorithms": ["HS256"], "key": KEY}}, "auth.jwt.key"),
        ({"jwt": {"algorithms": ["RS256"], "key": KEY}}, "auth.jwt.key"),
        ({"jwt": {"algorithms": ["ES256"], "key": "no key"}}, "auth.jwt.key"),
        ({"jwt": {"algorithms": ["ES256"], "jwks": "/nowhere"}}, "auth.jwt.jwks"),
    ],
)
async def test_what_could_not_be_checked_is_a_problem(said: dict[str, Any], path: str) -> None:
    async with running(flow(said)) as rt:
        assert path in [problem.path for problem in rt.status().problems]
