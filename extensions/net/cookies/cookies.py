"""cookies: reads the cookies of a request, and makes headers of those that a flow sets."""

from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    IN,
    Answer,
    Build,
    Duration,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.extensions.net.answers import header_of, mode_of, with_fields, with_headers
from heddle.extensions.net.cookies.cookie import Attributes, parsed, rejected, set_cookie
from heddle.extensions.net.cookies.signing import Signer
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.response import is_response
from heddle.extensions.response import HttpResponse


class Cookies(Fields):
    """The fields of a `cookies`."""

    secrets: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=16, pattern=r"\S")]],
        about(
            "Sign cookies with the first of these; one that was signed with another is taken, too. "
            "From a secret Value, of at least 16 characters."
        ),
    ] = msgspec.field(default_factory=list)
    signed: Annotated[
        list[str] | None,
        about("Which cookies are signed; all of them, unless said."),
    ] = None
    max_age: Annotated[
        Duration | None,
        about("How long cookies are kept; until the browser is closed, unless said."),
    ] = None
    path: Annotated[str, about("Below which path cookies are sent back.")] = "/"
    domain: Annotated[
        str, about("The domain whose hosts all get them back; this host alone, unless said.")
    ] = ""
    secure: Annotated[bool, about("Send them back over https only.")] = True
    http_only: Annotated[bool, about("Keep them from scripts of the page.")] = True
    same_site: Annotated[
        Literal["strict", "lax", "none"], about("Whether pages of other sites send them along.")
    ] = "lax"

    def __post_init__(self) -> None:
        if self.signed is not None and not self.secrets:
            raise FieldError(
                "signed without a secret", expected="secrets", code="missing", path=("signed",)
            )
        if self.same_site == "none" and not self.secure:
            raise FieldError(
                "same_site: none without secure",
                expected="secure: true",
                hint="Browsers throw such cookies away.",
                code="conflict",
                path=("same_site",),
            )


class CookiesNode(Node):
    """Adds `cookies` to a request, and takes it from the response."""

    def __init__(self, fields: Cookies) -> None:
        self._fields = fields
        self._signer = Signer(fields.secrets) if fields.secrets else None
        self._signed = None if fields.signed is None else frozenset(fields.signed)
        self._attributes = Attributes(
            max_age=None if fields.max_age is None else float(fields.max_age),
            path=fields.path,
            domain=fields.domain,
            secure=fields.secure,
            http_only=fields.http_only,
            same_site=fields.same_site,
        )
        self._visit = Visit(self._act)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        if not isinstance(payload, dict):
            raise TypeError(
                "found no request (expected: a map with header, as a listener sends it)"
            )
        answer = await flow.send("out", with_fields(payload, cookies=self._read(payload)))
        if type(answer) not in (dict, HttpResponse) or "cookies" not in answer:
            return answer
        given = answer["cookies"]
        kind = type(answer)
        rest = kind({name: value for name, value in answer.items() if name != "cookies"})
        mode = mode_of(payload)
        if not is_response(rest, mode):
            return answer
        if "method" in rest:
            # The request is echoed: these are the cookies that came.
            return rest
        if not isinstance(given, dict):
            raise rejected(f"cookies is {type(given).__name__}", "a map of names to values")
        lines = [self._line(str(name), value) for name, value in given.items()]
        return with_headers(rest, {"Set-Cookie": lines}, mode) if lines else rest

    def _is_signed(self, name: str) -> bool:
        return self._signer is not None and (self._signed is None or name in self._signed)

    def _read(self, payload: Payload) -> dict[str, str]:
        """Return the cookies that came; one whose signature is not right is none."""
        mapping: dict[str, str] = {}
        for name, value in parsed(header_of(payload, "Cookie"), joined=_joined(payload)):
            if self._is_signed(name):
                if self._signer is None:
                    raise RuntimeError("a signed cookie needs secrets")
                age = self._fields.max_age
                opened = self._signer.open(name, value, None if age is None else float(age))
                if opened is None:
                    continue
                value = opened
            # The first is the one of the longest path.
            mapping.setdefault(name, value)
        return mapping

    def _line(self, name: str, value: Any) -> str:
        attributes = self._attributes
        if isinstance(value, dict):
            text = value.get("value")
            attributes = attributes.changed(
                {key: value for key, value in value.items() if key != "value"}
            )
        else:
            text = value
        if text is None:
            return set_cookie(name, "", attributes.ended())
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise rejected(f"the cookie {name} is {type(text).__name__}", "text, or null to end it")
        message = str(text)
        if self._is_signed(name):
            if self._signer is None:
                raise RuntimeError("a signed cookie needs secrets")
            return set_cookie(name, self._signer.sign(name, message), attributes)
        return set_cookie(name, message, attributes)


def _joined(payload: Payload) -> bool:
    """Return whether several Cookie headers were joined by commas: HTTP/1.1 allows one only."""
    return type(payload) is HttpRequest and len(payload.head.fields.get("Cookie", ())) > 1


def compile_cookies(fields: Cookies, build: Build) -> Node:
    """Return a path or a domain that cannot be written is a Problem."""
    for name, value in (("path", fields.path), ("domain", fields.domain)):
        if any(text in ";," or not " " < text < "\x7f" for text in value):
            build.reject(name, found=f'"{value}"', expected="text without ; , and spaces")
    try:
        return CookiesNode(fields)
    except NodeError as error:
        build.reject(found=error.error.message)


COOKIES: Kind[Any] = Kind(
    Schema(
        kind="cookies",
        fields=Cookies,
        summary="Reads the cookies of a request, and makes headers of those that a flow sets.",
        category="net",
        ins=(IN,),
        outs=(
            Port("out", "The request, with `cookies` added."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: cookies
  name: cookies
  secrets: ['{{ .SECRET }}']
  max_age: 30d
  env:
    SECRET: {data: 'only an example: 0123456789'}
  ports:
    out: {name: count, port: in}
- kind: snippet
  name: count
  language: cel
  code: |
    {'body': 'visit ' + ('n' in self.cookies ? self.cookies.n : '0'),
     'cookies': {'n': 'n' in self.cookies ? string(int(self.cookies.n) + 1) : '1'}}
""",
        details="""\
The request goes on with `cookies`: names to texts. A response that is a map with `status`, `header` or
`body` may have `cookies` beside them, and sets these: names to texts, or to `{value, max_age, path, domain, secure, http_only, same_site}` if one differs
from the fields here; null ends a cookie. `max_age` is in seconds there.

With `secrets`, what is set is signed together with its name and the time, and what comes back with a
wrong signature, or older than `max_age`, is left out. That keeps cookies from being made up or changed,
not from being read. To change the secret, put a new one in front; remove the old one once `max_age`
has passed.

Values may be any text: what a cookie cannot hold is percent-encoded, and decoded when it comes back.
""",
    ),
    compile_cookies,
)
