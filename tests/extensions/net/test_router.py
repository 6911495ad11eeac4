"""Routes for every method at once, beside those of single methods."""

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text
from tests.support import change, fetch, port_of, running

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


TYPED = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  routes:
    - {method: GET, path: '/tasks/{id:integer}', to: read}
    - {method: DELETE, path: '/tasks/{id:integer}', to: read}
    - {method: GET, path: '/users/{id:uuid}', to: {name: read, port: in}}
    - {method: GET, path: '/files/{name:path}', port: 'out[0]'}
  ports: {'out[0]': {name: read}}
- {kind: snippet, name: read, language: cel, code: '{"body": params}'}
"""


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/tasks/7", 200, '{"id":7}'),
        ("/tasks/-7", 200, '{"id":-7}'),
        ("/tasks/%37", 200, '{"id":7}'),
        ("/tasks/seven", 404, "Not Found"),
        ("/tasks/7.0", 404, "Not Found"),
        ("/tasks/", 404, "Not Found"),
        ("/tasks/99999999999999999999", 404, "Not Found"),
        (
            "/users/0192F0C1-2345-7000-8000-00000000000A",
            200,
            '{"id":"0192f0c1-2345-7000-8000-00000000000a"}',
        ),
        ("/users/7", 404, "Not Found"),
        ("/files/a/b%2Fc.txt", 200, '{"name":"a/b%2Fc.txt"}'),
        ("/files", 200, '{"name":""}'),
    ],
)
async def test_a_parameter_has_its_type_or_is_not_found(path: str, status: int, text: str) -> None:
    async with running(TYPED) as rt:
        reply = await fetch(port_of(rt), path)
        assert (reply.status, reply.text) == (status, text)


async def test_a_method_is_offered_only_where_the_type_fits() -> None:
    async with running(TYPED) as rt:
        wrong = await fetch(port_of(rt), "/tasks/7", method="POST")
        assert (wrong.status, wrong.headers["Allow"]) == (405, "OPTIONS, DELETE, GET, HEAD")
        lost = await fetch(port_of(rt), "/tasks/x", method="POST")
        assert lost.status == 404


@pytest.mark.parametrize(
    ("route", "text"),
    [
        ("{method: GET, path: /a}", "r.routes[0].to: neither to nor port"),
        ("{method: GET, path: /a, to: b, port: out}", "r.routes[0].to: both to and port"),
        (
            "{method: GET, path: '/{a:int}', to: b}",
            'r.routes[0].path: "int" is not a type of a parameter',
        ),
        ("{method: GET, path: '/{a}/:a', to: b}", 'r.routes[0].path: "/{a}/:a" has the name "a"'),
    ],
)
async def test_a_route_that_cannot_be_read_is_a_problem(route: str, text: str) -> None:
    flow = f"- {{kind: router, name: r, routes: [{route}]}}\n- {{kind: nop, name: b}}"
    async with running(flow) as rt:
        [problem] = rt.status().problems
    assert text in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "path", "found"),
    [
        ("to: read}", "to: raed}", "router.routes[0].to", 'there is no "raed"'),
        ("port: in}", "port: inn}", "router.routes[2].to", '"read" has no port "inn" (it has: in)'),
        (
            "port: 'out[0]'",
            "port: 'to[0]'",
            "router.routes[3].port",
            'there is no out port "to[0]"',
        ),
    ],
)
def test_a_target_that_is_wrong_is_named_at_its_route(
    old: str, new: str, path: str, found: str
) -> None:
    reading = read_text(TYPED.replace(old, new, 1), file="flow.yaml")
    registry = installed(settings_of(None, ()))
    [problem] = check_specs(reading.specs, ValueSet(()), registry).problems
    assert (problem.path, problem.found) == (path, found)
    assert problem.place.line == 6 + int(path.split("[")[1][0])


async def test_a_target_that_comes_later_makes_the_routes_live() -> None:
    first, read = TYPED.split("- {kind: snippet")
    async with running(first) as rt:
        assert rt.table.get("router") is not None
        await change(rt, "- {kind: snippet" + read)
        reply = await fetch(port_of(rt), "/tasks/7")
        assert reply.text == '{"id":7}'


async def test_a_route_and_a_call_lead_by_short_targets() -> None:
    text = """
- {kind: listener, name: listener, port: 0, ports: {out: [router.in]}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /a, to: show.in}
    - {method: GET, path: /b, to: ask}
- {kind: call, name: ask, target: show.in}
- {kind: snippet, name: show, language: cel, code: "{'body': path}"}
"""
    async with running(text) as rt:
        assert (await fetch(port_of(rt), "/a")).body == b"/a"
        assert (await fetch(port_of(rt), "/b")).body == b"/b"
