"""Lists come a page at a time: the cursor of a page says where the next one begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import msgspec

from heddle.extensions.manage.problem_response import ApiError
from heddle.specs.model.store import Resource


def order(resource: Resource) -> tuple[str, str, str]:
    """By what lists are ordered: by name, those without one at the end."""
    return resource.name or "~", resource.namespace, str(resource.id)


def page_of(
    kept: Sequence[Resource], cursor: str, limit: int
) -> tuple[Sequence[Resource], str | None]:
    """Return what comes after the cursor, and the cursor of what comes next."""
    if cursor:
        after = _read_cursor(cursor)
        kept = [resource for resource in kept if order(resource) > after]
    page = kept[:limit]
    return page, _cursor(page[-1]) if len(kept) > limit else None


def _cursor(last: Resource) -> str:
    return urlsafe_b64encode(msgspec.json.encode(order(last))).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[str, str, str]:
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=tuple[str, str, str])
    except (ValueError, msgspec.MsgspecError):
        raise ApiError(
            400, "query", "cursor: it is none that was given out. Leave it out for the first page"
        ) from None
