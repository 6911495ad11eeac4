"""What every test may ask for."""

import os
import signal

import pytest
from hypothesis import settings

from tests.cost import cost_of, is_campaign

# A shared machine is slow at times, which says nothing about what is tested.
settings.register_profile("heddle", deadline=None)
# What decides whether a change is taken tries the same inputs each time; other runs look for new ones.
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "heddle")


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
