"""Routes for every method at once, beside those of single methods."""

import pytest

from tests.support import running

pytestmark = pytest.mark.anyio

ROUTER = """
- kind: router
  name: router
  routes:
    - {method: '*', path: '/api/*', port: 'out[0]'}
    - {method: GET, path: '/api/health', port: 'out[1]'}
    - {method: POST, path: '/*', port: 'out[2]'}
  ports:
    out[0]: {name: any}
    out[1]: {name: health}
    out[2]: {name: post}
- {kind: snippet, name: any, language: text, code: any}
- {kind: snippet, name: health, language: text, code: health}
- {kind: snippet, name: post, language: text, code: post}
"""


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/api/x", "any"),
        ("PURGE", "/api/x", "any"),
        ("OPTIONS", "/api/x", "any"),
        ("GET", "/api/health", "health"),
        ("HEAD", "/api/health", "health"),
        ("DELETE", "/api/health", "any"),
        ("POST", "/api/x", "any"),
        ("POST", "/x", "post"),
    ],
)
async def test_star_takes_every_method_that_has_no_route_of_its_own_there(
    method: str, path: str, found: str
) -> None:
    async with running(ROUTER) as rt:
        assert await rt.send("router", {"method": method, "path": path}) == found


async def test_a_star_is_no_method_that_anybody_is_told_of() -> None:
    async with running(ROUTER) as rt:
        lost = await rt.send("router", {"method": "GET", "path": "/x"})
        assert lost == {
            "status": 405,
            "header": {"Allow": ["OPTIONS, POST"]},
            "body": "Method Not Allowed",
        }
        whole = await rt.send("router", {"method": "OPTIONS", "path": "*"})
        assert whole["header"] == {"Allow": ["OPTIONS, GET, HEAD, POST"]}


async def test_two_stars_of_one_path_are_a_problem() -> None:
    routes = "[{method: '*', path: /a, port: out}, {method: '*', path: /a, port: 'out[1]'}]"
    async with running(f"- {{kind: router, name: r, routes: {routes}}}") as rt:
        [problem] = rt.status().problems
    assert (problem.path, problem.code) == ("r.routes[1]", "duplicate-route")
