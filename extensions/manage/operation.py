"""An Operation is one thing that can be asked of what is managed: its name, who may, and what it does.

From this one declaration come what the kind `manage` does, what is checked, and the description of
the API.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.extensions.manage.caller import Role
from heddle.extensions.manage.request import ApiRequest, NoQuery

JSON = "application/json"
YAML = "application/yaml"
PATCH = "application/merge-patch+json"
STREAM = "text/event-stream"


class ApiReply:
    """The answer of an operation. `resources` gives what a client that asks for YAML is sent instead.

    `names` and `revision` go into the audit log. `onward` sends the request further instead of
    answering it; `plain` makes the body the answer, instead of a response around it. `notified` has it
    written down though it made no revision.
    """

    __slots__ = (
        "body",
        "header",
        "names",
        "notified",
        "onward",
        "plain",
        "resources",
        "revision",
        "status",
    )

    def __init__(
        self,
        body: Any = None,
        status: int = 200,
        *,
        header: Mapping[str, str] | None = None,
        resources: Callable[[], list[dict[str, Any]] | dict[str, Any]] | None = None,
        names: tuple[str, ...] = (),
        revision: int = 0,
        onward: bool = False,
        plain: bool = False,
        notified: bool = False,
    ) -> None:
        self.body = body
        self.status = status
        self.header = dict(header or {})
        self.resources = resources
        self.names = names
        self.revision = revision
        self.onward = onward
        self.plain = plain
        self.notified = notified


Run: TypeAlias = Callable[[ApiRequest], Awaitable[ApiReply]]


class BodyForm(msgspec.Struct, frozen=True, kw_only=True):
    """The request of an operation."""

    about: str
    type: Any
    media: tuple[str, ...] = (JSON, YAML)


class ResponseForm(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which it may answer; without a `type` it has no body, `planned` is that of a dry run."""

    about: str
    type: Any = None
    planned: Any = None
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of the API. `right` None is free for everyone, even without a token.

    `audit` says whether it is written down who did it. `headers` are those of the request that it
    looks at, `rejections` the statuses of its rejections beside those that all have.
    """

    name: str
    summary: str
    run: Run
    right: Role | None = "read"
    details: str = ""
    query: type[msgspec.Struct] = NoQuery
    headers: tuple[str, ...] = ()
    body: BodyForm | None = None
    replies: Mapping[int, ResponseForm] = {}
    rejections: tuple[int, ...] = ()
    audit: bool = False

    @property
    def group(self) -> Literal["specs", "values"] | str:
        """The first part of its name: what it is about."""
        return self.name.partition(".")[0]
