"""The REST API keeps to its description: schemathesis makes requests by it, and looks at each response."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.extensions.net.openapi.document import describe_flow
from heddle.runtime.runtime import Runtime
from heddle.specs.yaml.document import read_path
from tests.examples.promises import EXAMPLES
from tests.support import port_of

FLOW = EXAMPLES / "rest-api" / "api.yaml"
API = schemathesis.openapi.from_dict(
    describe_flow(read_path(str(FLOW)).specs, installed(settings_of(None, ())).scheme).document
)
load_all_checks()


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Yield the address of the API, which a runtime serves in a thread of its own."""
    address: Future[str] = Future()
    over = threading.Event()

    async def serve() -> None:
        environment = {"PORT": 0, "DATABASE": ":memory:"}
        async with Runtime(store=str(FLOW), environment=environment) as rt:
            address.set_result(f"http://127.0.0.1:{port_of(rt)}")
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield address.result(30)
    finally:
        over.set()
        thread.join(30)


def test_it_has_at_most_sixty_lines() -> None:
    lines = [line.strip() for line in FLOW.read_text().splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) <= 60


def test_the_description_has_every_operation() -> None:
    operations = {
        f"{operation.ok().method.upper()} {operation.ok().path}"  # pyright: ignore[reportAttributeAccessIssue] - none is an Err
        for operation in API.get_all_operations()
    }
    assert operations == {
        "GET /books",
        "POST /books",
        "GET /books/{id}",
        "PUT /books/{id}",
        "DELETE /books/{id}",
    }


@API.parametrize()
@settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - the metaclass iterates over members
)
def test_requests_by_the_description_are_answered_by_it(
    case: schemathesis.Case, served: str
) -> None:
    """Schemathesis raises what differs from the description."""
    case.call_and_validate(base_url=served, checks=list(CHECKS.get_all()))  # pyright: ignore[reportArgumentType] - the registry says less than it gives
