"""The query parameters of requests that read or change Specs and Values."""

from typing import Annotated

import msgspec

from heddle.extensions.extension import about

LIMIT = 100
MOST = 10_000

Names = Annotated[
    list[str],
    about("Only those of this name; `*` stands for anything. Repeatable.", examples=["ping*"]),
]
Mentions = Annotated[
    list[str],
    about(
        "Only those in which this text stands as a whole, such as the name of a node that they are "
        "linked to. Repeatable.",
        examples=["pong"],
    ),
]
Ids = Annotated[list[str], about("Only those of this id. Repeatable.")]
Annotations = Annotated[
    list[str],
    about(
        "Only those with this annotation, or with this value of it. Repeatable: all must fit.",
        examples=["team=web"],
    ),
]
Limit = Annotated[int, about("How many at most.", ge=1, le=MOST)]
Cursor = Annotated[str, about("What the page before gave: where to go on.")]
Spaces = Annotated[
    list[str],
    about("Only those of this namespace, where the path names none. Repeatable."),
]
Wait = Annotated[
    float,
    about(
        "Wait so many seconds at most until every runtime that follows the namespace has it live, or "
        "has rejected it; `waited` tells.",
        ge=0,
        le=300,
    ),
]
DryRun = Annotated[bool, about("Check and tell, but write nothing.")]
Message = Annotated[str, about("Why: it stands in the history.", max_length=1000)]


class ListValues(msgspec.Struct, frozen=True, kw_only=True):
    """The selection of Values."""

    name: Names = []
    id: Ids = []
    annotation: Annotations = []
    namespace: Spaces = []
    reveal: Annotated[
        bool, about("Show secrets, too: takes the role admin, and is written down.")
    ] = False
    limit: Limit = LIMIT
    cursor: Cursor = ""


class ListSpecs(msgspec.Struct, frozen=True, kw_only=True):
    """The selection of Specs."""

    kind: Annotated[list[str], about("Only those of this kind. Repeatable.")] = []
    name: Names = []
    mentions: Mentions = []
    id: Ids = []
    annotation: Annotations = []
    namespace: Spaces = []
    limit: Limit = LIMIT
    cursor: Cursor = ""


class GetValue(msgspec.Struct, frozen=True, kw_only=True):
    """Options of showing a resource."""

    reveal: Annotated[
        bool, about("Show a secret, too: takes the role admin, and is written down.")
    ] = False


class GetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Options of showing a resource."""


class WriteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Options of changing a resource."""

    dry_run: DryRun = msgspec.field(name="dryRun", default=False)
    message: Message = ""
