"""Errors as data: what conditions and results see of one."""

from typing import Any

from heddle.extensions.extension import Error


def error_data(error: Error) -> dict[str, Any]:
    """`code`, `message` and `symbol` of an Error, and its `data`."""
    return {
        "code": error.code,
        "message": error.message,
        "symbol": error.symbol,
        "data": error.data,
    }
