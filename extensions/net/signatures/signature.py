"""signature: verifies the HMAC signature of a request over its raw body, or signs one to send."""

from time import time
from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec

from heddle.extensions.extension import (
    IN,
    Build,
    Choice,
    Duration,
    FieldError,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Stream,
    about,
)
from heddle.extensions.net.answers import header_of
from heddle.extensions.net.http.bodies import encode
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http_client.request import is_request
from heddle.extensions.net.secret_text import SecretText
from heddle.extensions.net.signatures.signing_scheme import (
    PRESETS,
    Algorithm,
    Encoding,
    InvalidSignatureError,
    SigningScheme,
)
from heddle.extensions.response import HttpResponse

_OWN = ("header", "algorithm", "prefix", "encoding", "content", "timestamp_header", "id_header")


class SignatureFields(Fields):
    """The fields of a `signature`."""

    secrets: Annotated[
        list[SecretText],
        about(
            "The shared secrets, from secret Values. A signature by any of them holds; the first signs.",
            min_length=1,
        ),
    ]
    preset: Annotated[
        Literal["github", "stripe", "slack", "standard"] | None,
        about("How a known service signs; `standard` is Standard Webhooks. Or say `header`."),
    ] = None
    mode: Annotated[
        Literal["verify", "sign"],
        about("Whether requests that came are verified, or requests to send are signed."),
    ] = "verify"
    header: Annotated[str, about("The header of the signature.", examples=["X-Signature"])] = ""
    algorithm: Annotated[Algorithm | None, about("The hash; sha256, unless said.")] = None
    prefix: Annotated[
        str | None, about("What stands before the signature.", examples=["sha256="])
    ] = None
    encoding: Annotated[
        Encoding | None, about("How the signature is written; hex, unless said.")
    ] = None
    content: Annotated[
        str | None,
        about(
            "What is signed: `{body}`, and what stands around it; `{timestamp}` and `{id}` are the "
            "values of their headers.",
            examples=["{timestamp}.{body}"],
        ),
    ] = None
    timestamp_header: Annotated[
        str, about("The header of the time of the signature, in seconds since 1970.")
    ] = ""
    id_header: Annotated[str, about("The header of the id of the message.")] = ""
    tolerance: Annotated[
        Duration | None,
        about(
            "How far the time of a signature may be from now; 5m, unless said, if a time is signed."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.preset is not None:
            for name in _OWN:
                if getattr(self, name):
                    raise FieldError(
                        f"both preset and {name}",
                        expected="one of them: a preset says how all is signed",
                        code="conflict",
                        path=(name,),
                    )
        elif not self.header:
            raise FieldError("neither preset nor header", expected="one of them", code="missing")
        for name in ("header", "timestamp_header", "id_header"):
            _check_header(name, getattr(self, name))
        content = self.scheme.content
        for name, given in (("timestamp", self.timestamp_header), ("id", self.id_header)):
            if self.preset is None and bool(given) != (f"{{{name}}}" in content):
                raise FieldError(
                    f"{name}_header without {{{name}}} in content"
                    if given
                    else f"{{{name}}} in content without {name}_header",
                    expected="both or none of them",
                    code="conflict",
                    path=(f"{name}_header" if given else "content",),
                )
        if "{body}" not in content:
            raise FieldError("a content without {body}", expected="{body} in it", path=("content",))
        if self.tolerance is not None and "{timestamp}" not in content:
            raise FieldError(
                "a tolerance, and no time is signed",
                expected="{timestamp} in content",
                code="conflict",
                path=("tolerance",),
            )

    @property
    def scheme(self) -> SigningScheme:
        """How it is signed."""
        known = PRESETS.get(self.preset or "")
        if known is None:
            known = SigningScheme(
                header=canonical(self.header),
                algorithm=self.algorithm or "sha256",
                prefix=self.prefix or "",
                encoding=self.encoding or "hex",
                content="{body}" if self.content is None else self.content,
                timestamp_header=canonical(self.timestamp_header) if self.timestamp_header else "",
                id_header=canonical(self.id_header) if self.id_header else "",
                tolerance=300,
            )
        if self.tolerance is None:
            return known
        return msgspec.structs.replace(known, tolerance=float(self.tolerance))


def _check_header(field: str, name: str) -> None:
    try:
        if name:
            canonical(name)
    except RequestError:
        raise FieldError(f'"{name}"', expected="the name of a header", path=(field,)) from None


class SignatureNode(Node):
    """Lets signed requests through, or signs those that go out."""

    def __init__(self, scheme: SigningScheme, keys: list[bytes], mode: str) -> None:
        self._scheme = scheme
        self._keys = keys
        self._choice = Choice(self._verify if mode == "verify" else self._sign)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._choice if port == "in" else None

    def _verify(self, payload: Payload) -> tuple[str, Payload]:
        body = _raw(payload)
        try:
            self._scheme.verify(self._keys, body, lambda name: header_of(payload, name), time())
        except InvalidSignatureError as error:
            header = {"Cache-Control": ["no-store"]}
            return "denied", HttpResponse(status=401, header=header, body=f"{error}\n")
        return "out", payload

    def _sign(self, payload: Payload) -> tuple[str, Payload]:
        request = payload if is_request(payload) else {"body": payload}
        given = request.get("header") or {}
        if not isinstance(given, dict):
            raise TypeError(f"header is {type(given).__name__} (expected: a map of names to texts)")
        header = {canonical(str(name)): value for name, value in given.items()}
        body, kind = _encoded(request, header)
        given_id = header.get(self._scheme.id_header, "") if self._scheme.id_header else ""
        id_ = given_id[0] if isinstance(given_id, list) and given_id else given_id
        signed = self._scheme.sign(self._keys[0], body, str(id_ or f"msg_{uuid4().hex}"), time())
        if kind:
            header["Content-Type"] = [kind]
        header.pop("Content-Encoding", None)
        header |= {name: [value] for name, value in signed.items()}
        if type(request) is HttpRequest:
            return "out", request.with_fields(header=header, body=body)
        return "out", {**request, "header": header, "body": body}


def _raw(payload: Payload) -> bytes:
    """Return the bytes of the body of a request; TypeError if they are not kept."""
    if not isinstance(payload, dict):
        raise TypeError("found no request (expected: a map with header, as a listener sends it)")
    body = payload.get("raw")
    if body is None:
        body = payload.get("body") if type(payload) is not HttpRequest else b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, Stream):
        raise TypeError("the body is a stream (expected: one that the listener reads whole)")
    if body is not None and not isinstance(body, bytes):
        raise TypeError(
            "the raw body is not kept any more (expected: the request as the listener sent it, "
            "before a node that made another map of it)"
        )
    return body or b""


def _encoded(request: Any, header: dict[str, Any]) -> tuple[bytes, str]:
    """Return the bytes of the body as they will be sent, and their Content-Type."""
    unchanged = type(request) is HttpRequest and not request.replaced("body")
    if unchanged and not request.head.get("Content-Encoding"):
        return _raw(request), ""
    body = request.get("body")
    if body is None:
        return b"", ""
    kinds = header.get("Content-Type", "")
    kind = kinds[-1] if isinstance(kinds, list) and kinds else kinds
    if isinstance(body, Stream):
        raise TypeError("the body is a stream (expected: bytes, text or data)")
    try:
        return encode(body, kind if isinstance(kind, str) else "")
    except AnswerError as error:
        raise TypeError(f"{error} (expected: a body that its Content-Type can hold)") from None


def compile_signature(fields: SignatureFields, build: Build) -> Node:
    """Return the node; a secret that is not of the form that the preset wants is a Problem."""
    scheme = fields.scheme
    keys = []
    for number, secret in enumerate(fields.secrets):
        try:
            keys.append(scheme.key(secret))
        except ValueError as error:
            build.reject(
                "secrets",
                number,
                found=str(error),
                expected="whsec_ and the secret in base64, as Standard Webhooks has it",
            )
    return SignatureNode(scheme, keys, fields.mode)


SIGNATURE: Kind[Any] = Kind(
    Schema(
        kind="signature",
        fields=SignatureFields,
        summary="Verifies the HMAC signature of a webhook over its raw body, or signs one to send.",
        category="net",
        ins=(IN,),
        outs=(
            Port("out", "Requests whose signature holds; with `mode: sign`, the signed requests."),
            Port("denied", "A response (401) to the others; not linked, it is the answer."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: signature
  name: check
  preset: github
  secrets: ['{{ .SECRET }}']
  env:
    SECRET: {data: 'only an example'}
  ports:
    out: accept
- kind: snippet
  name: accept
  language: cel
  code: "{'status': 202, 'body': self.body}"
""",
        details="""\
A service signs the bytes that it sends, so the bytes that came are compared, not data made of them: the
request has them as `raw`. They are there as long as the request itself is passed on, also by `router`, `auth` and
`validate`; a node that makes another map of it leaves them behind, so let `signature` stand in front.

| `preset` | header | what is signed |
|---|---|---|
| `github` | `X-Hub-Signature-256: sha256=HEX` | the body |
| `stripe` | `Stripe-Signature: t=TIME,v1=HEX` | `TIME.BODY` |
| `slack` | `X-Slack-Signature: v0=HEX`, `X-Slack-Request-Timestamp` | `v0:TIME:BODY` |
| `standard` | `Webhook-Signature: v1,BASE64`, `Webhook-Id`, `Webhook-Timestamp` | `ID.TIME.BODY`; the secret is `whsec_BASE64` |

For others say `header`, and `algorithm`, `prefix`, `encoding` and `content` if they differ. If a time is signed,
a signature that is older than `tolerance`, or of a time further ahead, is denied: nobody can send an old request
again later. Within that time, [`dedupe`](dedupe.md) on the id of the message rejects a second one.

The answer to a signature that is missing, wrong or old is 401 with the reason. All comparisons take the same time
whatever differs. To change a secret, put the new one in front, and remove the old one when all senders use the new.

`mode: sign` makes a request for [`http`](http.md): its body becomes the bytes that are signed, and the headers of the
scheme are added. A packet that is not a request is the body. An id is made unless its header is given.
""",
    ),
    compile_signature,
)
