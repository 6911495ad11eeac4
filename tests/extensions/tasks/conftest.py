"""What tests of tasks in one process have in common."""

import pytest

from tests.extensions.tasks import durable_tasks


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    """Begin with empty lists: what an earlier test has left there would be counted."""
    durable_tasks.done.clear()
    durable_tasks.gates.clear()
