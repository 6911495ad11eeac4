"""Asked is one request to manage something: who asks for what, where, and how."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin
from uuid import UUID, uuid4

import msgspec

from heddle.extensions.extension import ByteStream, Host
from heddle.extensions.manage.caller import EVERY, RIGHTS, Caller, Role
from heddle.extensions.manage.paths import relative
from heddle.extensions.manage.problem_response import ApiError
from heddle.runtime.managed import ManagedStores, home_of, managed_by
from heddle.runtime.runtime import Runtime
from heddle.schemas.ascii import lower, trim
from heddle.schemas.problem import Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.keyed import key_from
from heddle.specs.model.names import NAMESPACE_RULE, legal_namespace

KEY = "Idempotency-Key"
"""The header by which a change set that is sent again is known."""

BODY = 64 * 1024 * 1024
"""Bytes of a body that are read at most, whatever the listener in front allows."""

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_FLAGS = {"true": True, "false": False}


class NoQuery(msgspec.Struct, frozen=True):
    """Nothing may be asked behind the question mark."""


class ApiRequest:
    """A request as an operation sees it.

    `params` are the names in its path, `query` what stands behind the question mark, read as the
    operation says. `operation` and `right` are the operation's name and what it takes. `made` is the
    revision that it has become, and the names in it, from the moment on in which it is.
    """

    def __init__(
        self,
        payload: Mapping[str, Any],
        query: type[msgspec.Struct],
        *,
        caller: Caller,
        host: Host,
        operation: str,
        right: Role | None,
    ) -> None:
        self.payload = payload
        self.caller = caller
        self.host = host
        self.operation = operation
        self.right: Role | None = right
        self.managed: ManagedStores = managed_by(host)
        self.params: Mapping[str, str] = payload.get("params") or {}
        self.query: Any = read_query(payload.get("query") or {}, query)
        self.made: tuple[int, tuple[str, ...]] = 0, ()
        self._once = ""

    # -- where ---------------------------------------------------------------------------------

    @property
    def home(self) -> Runtime:
        """The runtime that answers."""
        return home_of(self.host)

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return str(self.payload.get("path", ""))

    @property
    def namespace(self) -> str | None:
        """The namespace in the path; None if the path has none."""
        return self.params.get("namespace")

    @property
    def key(self) -> str:
        """The name or id in the path."""
        return self.params.get("key", "")

    # -- whether -------------------------------------------------------------------------------

    def admit(self) -> None:
        """Rejection if the caller has no right to what is asked for."""
        if self.namespace is not None:
            if not legal_namespace(self.namespace):
                raise ApiError(
                    400,
                    "namespace",
                    f'"{self.namespace}" is not a namespace (expected: {NAMESPACE_RULE})',
                )
            self.need(self.right, self.namespace)
        elif self.right is not None and not any(
            self.right in RIGHTS[role] for role in self.caller.roles
        ):
            raise self._forbidden(self.right, "")

    def need(self, right: Role | None, namespace: str) -> None:
        """Rejection if the caller has not this right in that namespace, or nobody has it here."""
        if right is None:
            return
        if not self.managed.covers(namespace):
            raise ApiError(
                403,
                "not-managed",
                f"the namespace {namespace} is not managed from here (managed: "
                f"{', '.join(sorted(self.managed.namespaces or ()))})",
            )
        # Who may change what lets callers in may become anybody.
        needed: Role = "admin" if right == "edit" and namespace == self.host.namespace else right
        if not self.caller.may(needed, namespace):
            raise self._forbidden(needed, namespace)

    def sees(self, namespace: str) -> bool:
        """Return whether the caller may look into a namespace."""
        return self.managed.covers(namespace) and self.caller.may("read", namespace)

    @property
    def sees_all(self) -> bool:
        """Whether the caller may look into every namespace."""
        return self.managed.namespaces is None and self.caller.may("read", EVERY)

    def _forbidden(self, right: Role, namespace: str) -> ApiError:
        where = f" in the namespace {namespace}" if namespace else ""
        return ApiError(
            403,
            "forbidden",
            f"{self.caller.name} may not do this{where} (expected: a token with the role {right})",
        )

    def hidden(self, problems: Sequence[Problem]) -> tuple[Problem, ...]:
        """Return the same Problems with every secret masked that a runtime here knows."""
        kept = tuple(problems)
        for runtime in (*self.managed.runtimes, self.home):
            kept = runtime.events.masked(kept)
        return kept

    def masked(self, data: Any) -> Any:
        """Return the same plain data with every secret masked that a runtime here knows."""
        for runtime in (*self.managed.runtimes, self.home):
            data = runtime.events.mask(data)
        return data

    def relative(self, data: Any) -> Any:
        """Return the same plain data with no path of the server in it."""
        return relative(data, self.managed.store.url)

    # -- once ----------------------------------------------------------------------------------

    @property
    def once(self) -> str:
        """The key that tells this change set from every other of the same caller: its `Idempotency-Key`.

        A random one if the request has none. Rejection if it cannot be one.
        """
        text = self.header(KEY)
        if text and (len(text) > 255 or not text.isascii() or not text.isprintable()):
            raise ApiError(
                400,
                "key",
                f"{KEY}: found {len(text)} characters (expected: 1 to 255, printable ASCII)",
            )
        self._once = self._once or text or str(uuid4())
        return self._once

    def key_of(self, text: str) -> UUID:
        """Return the key in the store of what this caller calls so: nobody else can mean the same."""
        return key_from(f"{self.caller.name}\0{text}")

    # -- how -----------------------------------------------------------------------------------

    def header(self, name: str) -> str:
        """Return one header of the request, several joined by commas; empty without it."""
        header = self.payload.get("header")
        values = header.get(name, "") if isinstance(header, Mapping) else ""
        return ", ".join(map(str, values)) if isinstance(values, list) else str(values)

    @property
    def media(self) -> str:
        """The media type of the body, without parameters; empty if the request names none.

        Several of them are not type: they are given as they came, for whoever rejects them.
        """
        header = self.payload.get("header")
        values = header.get("Content-Type", "") if isinstance(header, Mapping) else ""
        if isinstance(values, list) and len(values) != 1:
            return ", ".join(map(str, values))
        text = str(values[0]) if isinstance(values, list) else str(values)
        return lower(trim(text.partition(";")[0]))

    @property
    def inside(self) -> bool:
        """Whether it comes from a flow, not over HTTP: no page of a browser can have sent it."""
        return "header" not in self.payload and "method" not in self.payload

    async def body(self) -> Any:
        """Return the body: bytes as they came, or data if somebody has read them; None without one."""
        body = self.payload.get("body")
        if not isinstance(body, ByteStream):
            return body
        try:
            return await body.read(BODY) or None
        except ValueError:
            raise ApiError(413, "too-large", f"the body is longer than {BODY} bytes") from None


# -- what stands behind the question mark ----------------------------------------------------------


def read_query(given: Mapping[str, Any], query: type[msgspec.Struct]) -> msgspec.Struct:
    """Return the query as the struct says; Rejection names what is not known and what does not fit."""
    fields = _fields(query)
    data: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            known = ", ".join(fields) or "nothing"
            near = did_you_mean(str(name), list(fields))
            raise _bad(
                name, f'there is no parameter "{name}" (expected: {known}). {near}'.rstrip(". ")
            )
        texts = [str(value) for value in value] if isinstance(value, list) else [str(value)]
        data[name] = _convert(name, texts, fields[name])
    try:
        return msgspec.convert(data, query)
    except msgspec.ValidationError as error:
        where = str(error).rpartition("$.")[2].partition("[")[0].strip("`")
        raise _bad(where, str(error).partition(" - at ")[0]) from None


@cache
def _fields(query: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return the types of the parameters, by name."""
    return {field.encode_name: bare(field.type) for field in msgspec.structs.fields(query)}


def bare(kind: Any) -> Any:
    """Return a type without its annotation and without None."""
    while get_origin(kind) is not None and hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    members = [get_arg for get_arg in get_args(kind) if get_arg is not type(None)]
    if get_origin(kind) not in (list, tuple) and len(members) == 1:
        return bare(members[0])
    return kind


def _convert(name: str, texts: Sequence[str], kind: Any) -> Any:
    if get_origin(kind) in (list, tuple):
        return list(texts)
    if len(texts) != 1:
        raise _bad(name, f"it stands there {len(texts)} times (expected: once)")
    [text] = texts
    if kind is bool:
        if text not in _FLAGS:
            raise _bad(name, f'found "{text}" (expected: true or false)')
        return _FLAGS[text]
    if kind is float:
        if _NUMBER.fullmatch(text) is None:
            raise _bad(name, f'found "{text}" (expected: a number)')
        return float(text)
    if kind is int:
        if _WHOLE.fullmatch(text) is None:
            raise _bad(name, f'found "{text}" (expected: a whole number)')
        return int(text)
    return text


def _bad(name: str, detail: str) -> ApiError:
    return ApiError(400, "query", f"{name}: {detail}")
