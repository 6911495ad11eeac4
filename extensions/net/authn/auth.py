"""auth: lets those requests through whose sender is known, by password, token or signed token."""

from importlib.util import find_spec
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    IN,
    Build,
    Choice,
    Duration,
    Expression,
    FieldError,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Program,
    Schema,
    about,
)
from heddle.extensions.net.answers import header_of, with_fields
from heddle.extensions.net.authn.jwt import HMAC, JwksFile, TokenError, Verifier
from heddle.extensions.net.authn.secrets import Passwords, Tokens
from heddle.extensions.net.certificate import pem
from heddle.extensions.net.cookies.cookie import parsed
from heddle.extensions.net.http_client.pool import missing
from heddle.extensions.net.secret_text import SecretText
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import lower, trim

_Secrets = dict[str, SecretText]
Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES256K",
    "ES384",
    "ES512",
    "EdDSA",
]


class JwtFields(Fields):
    """The rules for signed tokens that are believed."""

    algorithms: Annotated[
        list[Algorithm],
        about(
            "By which of these they may be signed; with a shared secret (`HS…`) or with a public "
            "key, not both.",
            min_length=1,
        ),
    ]
    key: Annotated[
        str, about("The shared secret, or the public key as PEM text; from a secret Value.")
    ] = ""
    jwks: Annotated[
        str, about("The path of a JWKS file with public keys; it is read again when it changes.")
    ] = ""
    issuer: Annotated[str | None, about("Who must have issued them (`iss`).")] = None
    audience: Annotated[
        list[str],
        about("Whom they must be for (`aud`): one of these. Without it, for nobody in particular."),
    ] = msgspec.field(default_factory=list)
    leeway: Annotated[Duration, about("How far clocks may differ.")] = Duration(0)
    require: Annotated[list[str], about("Claims that they must have.")] = msgspec.field(
        default_factory=lambda: ["exp"]
    )

    def __post_init__(self) -> None:
        if bool(self.key) == bool(self.jwks):
            raise FieldError(
                "neither or both of key and jwks", expected="one of them", code="conflict"
            )
        shared = [algorithm in HMAC for algorithm in self.algorithms]
        if any(shared) and (not all(shared) or self.jwks):
            raise FieldError(
                "algorithms with a shared secret beside a public key",
                expected="one sort of them",
                hint="Who knows the public key could sign with it.",
                code="conflict",
                path=("algorithms",),
            )


class Auth(Fields):
    """The fields of an `auth`."""

    basic: Annotated[
        _Secrets | None,
        about("Users and their passwords, for basic authentication.", examples=[{"ada": "…"}]),
    ] = None
    bearer: Annotated[
        _Secrets | None,
        about("Names and their tokens, for bearer authentication.", examples=[{"ci": "…"}]),
    ] = None
    jwt: Annotated[JwtFields | None, about("Signed tokens, as bearer tokens.")] = None
    cookie: Annotated[str, about("The cookie that a token may come in, too.")] = ""
    query: Annotated[
        str,
        about(
            "The query parameter that a token may come in, too: for a WebSocket of a browser. It "
            "will stand in logs."
        ),
    ] = ""
    optional: Annotated[
        bool, about("Requests that say nothing of their sender go on, with `auth` null.")
    ] = False
    allow: Annotated[
        Expression | None,
        about(
            "Who is known and allowed: a condition over the request with `auth`; others get 403.",
            examples=["'admin' in self.auth.claims.roles"],
        ),
    ] = None
    realm: Annotated[
        str, about("What a browser shows when it asks for a password.", pattern=r"^[ !#-\[\]-~]*$")
    ] = "heddle"

    def __post_init__(self) -> None:
        if self.basic is None and self.bearer is None and self.jwt is None:
            raise FieldError(
                "nobody could be known", expected="basic, bearer or jwt", code="missing"
            )
        for user in self.basic or ():
            if ":" in user:
                raise FieldError(f'"{user}"', expected="a name without a colon", path=("basic",))


class AuthNode(Node):
    """Chooses: further, or denied."""

    def __init__(self, fields: Auth, verifier: Verifier | None, allow: Program | None) -> None:
        self._fields = fields
        self._passwords = Passwords(fields.basic) if fields.basic is not None else None
        self._tokens = Tokens({} if fields.bearer is None else fields.bearer)
        self._takes_tokens = fields.bearer is not None or verifier is not None
        self._verifier = verifier
        self._allow = allow
        self._choice = Choice(self._choose)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._choice if port == "in" else None

    def _choose(self, payload: Payload) -> tuple[str, Payload]:
        if not isinstance(payload, dict):
            raise TypeError(
                "found no request (expected: a map with header, as a listener sends it)"
            )
        try:
            known = self._known(payload)
        except TokenError as wrong:
            return "denied", self._denied(str(wrong))
        if known is None and not self._fields.optional:
            return "denied", self._denied("")
        value = with_fields(payload, auth=known)
        if self._allow is not None and known is not None and not self._allow(value):
            return "denied", HttpResponse({"status": 403, "body": "Forbidden"})
        return "out", value

    def _known(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Return who sent it; None if it says nothing, WrongToken if that is wrong."""
        scheme, _, credentials = trim(header_of(payload, "Authorization")).partition(" ")
        scheme, credentials = lower(scheme), trim(credentials)
        if scheme == "basic" and self._passwords is not None:
            user = self._passwords.user(credentials)
            if user is None:
                raise TokenError("")
            return {"scheme": "basic", "user": user}
        if scheme == "bearer" and self._takes_tokens:
            return self._bearer(credentials)
        if scheme:
            raise TokenError("")
        token = self._elsewhere(payload)
        return self._bearer(token) if token else None

    def _bearer(self, token: str) -> dict[str, Any]:
        user = self._tokens.user(token)
        if user is not None:
            return {"scheme": "bearer", "user": user}
        if self._verifier is None:
            raise TokenError("the token is not valid")
        claims = self._verifier.claims(token)
        return {"scheme": "jwt", "user": claims.get("sub"), "claims": claims}

    def _elsewhere(self, payload: dict[str, Any]) -> str:
        """Return a token that came in a cookie or in the query; "" without one."""
        fields = self._fields
        if fields.cookie:
            given = payload.get("cookies") if "cookies" in payload else None
            if not isinstance(given, dict):
                given = dict(parsed(header_of(payload, "Cookie")))
            token = given.get(fields.cookie)
            if isinstance(token, str) and token:
                return token
        if fields.query:
            query = payload.get("query")
            values = query.get(fields.query) if isinstance(query, dict) else None
            first = values[0] if isinstance(values, list) and values else values
            return first if isinstance(first, str) else ""
        return ""

    def _denied(self, why: str) -> dict[str, Any]:
        """Return the response to a sender who is not known."""
        realm = self._fields.realm
        challenges = []
        if self._takes_tokens:
            detail = f', error="invalid_token", error_description="{why}"' if why else ""
            challenges.append(f'Bearer realm="{realm}"{detail}')
        if self._passwords is not None:
            challenges.append(f'Basic realm="{realm}", charset="UTF-8"')
        header = {"WWW-Authenticate": challenges, "Cache-Control": ["no-store"]}
        return HttpResponse({"status": 401, "header": header, "body": "Unauthorized"})


def compile_auth(fields: Auth, build: Build) -> Node:
    """Return a key that does not fit the algorithms is a Problem."""
    allow = build.condition(fields.allow, "allow") if fields.allow is not None else None
    return AuthNode(fields, _verifier(fields.jwt, build), allow)


def _verifier(fields: JwtFields | None, build: Build) -> Verifier | None:
    if fields is None:
        return None
    if find_spec("jwt") is None:
        missing("jwt", "PyJWT", build)
    if not set(fields.algorithms) <= HMAC.keys() and find_spec("cryptography") is None:
        missing("jwt", "cryptography", build)
    where = "jwks" if fields.jwks else "key"
    try:
        key = JwksFile(fields.jwks, fields.algorithms) if fields.jwks else pem(fields.key)
        return Verifier(
            algorithms=fields.algorithms,
            key=key,
            issuer=fields.issuer,
            audience=fields.audience,
            leeway=float(fields.leeway),
            require=fields.require,
        )
    except ValueError as error:
        build.reject("jwt", where, found=str(error), expected="a key that fits the algorithms")


AUTH: Kind[Any] = Kind(
    Schema(
        kind="auth",
        fields=Auth,
        summary="Lets those requests through whose sender is known, by password, token or JWT.",
        category="net",
        ins=(IN,),
        outs=(
            Port("out", "Requests whose sender is known, with `auth` added."),
            Port("denied", "A response (401, 403) to the others; not linked, it is the answer."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: auth
  name: auth
  basic: {ada: '{{ .PASSWORD }}'}
  allow: "self.auth.user == 'ada'"
  env:
    PASSWORD: {data: 'only an example'}
  ports:
    out: {name: hello, port: in}
- kind: snippet
  name: hello
  language: cel
  code: "'hello ' + auth.user"
""",
        details="""\
`auth` is `{scheme, user}`: `basic`, `bearer` or `jwt`, and who it is; for a JWT, `user` is its `sub` and
`claims` is all that it says. Who says nothing, or something wrong, is answered 401 and told how to ask;
who is known but does not meet `allow` is answered 403.

A token is looked for in `Authorization`, then in `cookie` and `query` if these are named. Pages of
other sites may send the cookie along: keep it `same_site`. What is compared is compared in constant time.

A JWT must be signed by one of `algorithms`, whatever it says itself, and must not have expired; one
without `exp` is rejected unless `require` leaves that out. One with an `aud` is rejected if `audience`
does not name it, and one whose `exp` or `nbf` is not a number. `iat` plays no role. The secret of `HS256` has at least 32 bytes. `jwt` needs the extra `jwt`.

Passwords and tokens belong into secret Values, bound by `env`. Send them over TLS only.
""",
    ),
    compile_auth,
)
