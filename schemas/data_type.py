"""The type of a piece of data, in the words of people."""

from typing import Any


def describe_type(value: Any) -> str:
    """Return what a person calls this piece of data: `a list`, `the number 5`, `the text "x"`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()}, which is a boolean"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 60 else f'the text "{value[:57]}…"'
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "binary data"
