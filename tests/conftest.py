"""What every test may ask for."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Waiting tests run on asyncio: the runtime is made for it."""
    return "asyncio"
