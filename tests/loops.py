"""Both event loops that Heddle runs on: a test with sockets runs once on each.

A conftest.py imports the fixture, and all waiting tests below it run twice.
"""

from typing import Any

import pytest


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Return each event loop in turn: asyncio's own, and uvloop."""
    return request.param
