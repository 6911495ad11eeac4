"""Lazy maps turned into ordinary ones, for code in C that reads dicts past their methods."""

from typing import Any


def plain(value: Any) -> Any:
    """The same data with every lazy map inside it read out into an ordinary dict."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
