"""A Path leads to a field inside something that was written."""

from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""The way to a field inside a Spec: `("ports", "out[0]", 0, "name")`."""


def dotted(label: str, path: Path) -> str:
    """Return the path as a person reads it: `dotted("router", ("routes", 0, "port"))` is `router.routes[0].port`."""
    text = label
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
