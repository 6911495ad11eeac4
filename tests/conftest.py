"""What every test may ask for."""

import pytest
from hypothesis import settings

# A shared machine is slow at times, which says nothing about what is tested.
settings.register_profile("heddle", deadline=None)
settings.load_profile("heddle")


@pytest.fixture
def anyio_backend() -> str:
    """Return waiting tests run on asyncio: the runtime is made for it."""
    return "asyncio"
