"""What the docs put over the shipped flows of the namespace `system` goes live there."""

import msgspec
import pytest

from heddle.extensions.manage.system import SYSTEM
from heddle.specs.yaml.document import read_text
from tests.docs.fences import Fence, every
from tests.extensions.manage.support import managing

OVER = [one for one in every("yaml") if f"namespace: {SYSTEM}" in one.code]


def test_the_docs_show_how_to_change_the_namespace_system() -> None:
    assert OVER


@pytest.mark.anyio
@pytest.mark.parametrize("fence", OVER, ids=lambda one: str(one.place))
async def test_what_stands_over_a_shipped_spec_goes_live(fence: Fence) -> None:
    reading = read_text(fence.code, file=str(fence.page))
    assert not reading.problems
    async with managing() as one:
        path = f"/v1/namespaces/{SYSTEM}/apply?wait=30"
        reply = await one.call("POST", path, fence.code, media="application/yaml")
        assert reply.status == 200, reply
        [arrival] = msgspec.json.decode(reply.body)["waited"]
        assert arrival["state"] == "live", arrival
        for spec in reading.specs:
            symbol = one.system.table.get(str(spec.name))
            assert symbol is not None
            assert symbol.spec.fields == spec.fields
