"""What several tests of stores share."""

from collections.abc import Iterator

import pytest

from heddle.specs.model.limits import ReadLimits, limits, use_limits


@pytest.fixture
def following() -> Iterator[None]:
    """Links that lead out of the folder are followed meanwhile."""
    before = limits()
    use_limits(ReadLimits(follow_links=True))
    yield
    use_limits(before)
