"""What to try: a curl line for the plainest route behind a listener."""

import pytest

from heddle.cli.views.curl_hint import curl
from heddle.specs.yaml.document import read_text

URL = "http://127.0.0.1:8000"


def flow(routes: str) -> str:
    return (
        "- {kind: listener, name: listener, ports: {out: {name: first}}}\n"
        "- {kind: nop, name: first, ports: {out: {name: router}}}\n"
        f"- {{kind: router, name: router, routes: {routes}}}\n"
    )


@pytest.mark.parametrize(
    ("routes", "line"),
    [
        ("[{method: GET, path: /ping}]", f"curl {URL}/ping"),
        (
            "[{method: POST, path: /}, {method: GET, path: '/users/:id'}, {method: GET, path: /a}]",
            f"curl {URL}/a",
        ),
        ("[{method: DELETE, path: /all}]", f"curl -X DELETE {URL}/all"),
        ("[{method: GET, path: /files/*}]", f"curl '{URL}/files/*'"),
        ("[]", f"curl {URL}/"),
        ("wrong", f"curl {URL}/"),
    ],
)
def test_the_plainest_route_is_shown(routes: str, line: str) -> None:
    assert curl(URL, "listener", read_text(flow(routes)).specs) == line


def test_a_listener_on_every_address_is_asked_at_localhost() -> None:
    assert curl("http://0.0.0.0:80", "listener", []) == "curl http://localhost:80/"
    assert curl("https://[::]:443", "listener", []) == "curl -k https://localhost:443/"
