"""Every kind of the family says all there is to say of it, and its worked example runs."""

import pytest

from heddle.extensions.control import KINDS
from heddle.runtime.assembly.extension import registry
from heddle.schemas.page import gaps
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_a_kind_is_told_in_full_and_its_example_becomes_active(name: str) -> None:
    schema = registry().scheme.schema(name)
    assert schema is not None
    assert gaps(schema) == []
    assert schema.details
    async with running(schema.example) as rt:
        status = rt.status()
        assert not status.problems
        assert {symbol.state for symbol in status.symbols} == {"active"}
        assert name in {symbol.kind for symbol in status.symbols}
