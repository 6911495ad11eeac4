"""What every test may ask for."""

import signal

import pytest
from hypothesis import settings

from tests.cost import cost_of, is_campaign

# A shared machine is slow at times, which says nothing about what is tested.
settings.register_profile("heddle", deadline=None)
settings.load_profile("heddle")


# Who starts tests in the background may ignore Ctrl-C, and commands would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Return waiting tests run on asyncio: the runtime is made for it."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its cost: `pytest -m unit`, `-m "not campaign"`."""
    for item in items:
        item.add_marker(cost_of(item.path))
        if is_campaign(item.path):
            item.add_marker("campaign")
