"""What a client does wrong is told as that, with a hint, and with no path of the server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from heddle.specs.stores.folder.store import FolderStore
from tests.extensions.manage.support import DEFAULT, data, managing
from tests.support import fetch

pytestmark = pytest.mark.anyio

NAMES = (
    *("a/b", "a\nb", "\x1b[31m", "$(id)", "n" * 201, "..", "\0", " a", "a ", "<x>", "%"),
    *("é" * 200, "con", ".heddle/x", "../x", "n.yaml/x"),
)
"""Some of them are legal as a name, and none of them may be an error of the server."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    far = tmp_path / "far"
    tmp_path /= "flows"
    far.mkdir()
    tmp_path.mkdir()
    (tmp_path / "default.yaml").write_text("- {kind: nop, name: n}\n")
    (tmp_path / "bad.yaml").write_text("- {kind: nop, namespace: bad, name: [\n")
    (tmp_path / "web.yaml").mkdir()
    locked = tmp_path / "locked.yaml"
    locked.write_text("- {kind: nop, namespace: locked, name: r}\n")
    locked.chmod(0o444)
    (tmp_path / "link").symlink_to(far)
    return tmp_path


def requests(name: str) -> Iterator[tuple[str, str, Any]]:
    """Yield what may be asked with such a name, in every place of a request."""
    key = quote(name, safe="").replace(".", "%2e")
    for sort, entry in (("specs", {"kind": "nop"}), ("values", {"data": 1})):
        for method, body in (("PUT", entry), ("PATCH", {"name": "z"}), ("GET", None)):
            yield method, f"{DEFAULT}/{sort}/{key}", body
        yield "POST", f"{DEFAULT}/{sort}", {**entry, "name": name}
        yield "DELETE", f"{DEFAULT}/{sort}/{key}", None
    yield "PUT", f"/v1/namespaces/{key}/specs/x", {"kind": "nop"}
    for path in (
        "kinds",
        "revisions",
        "namespaces/default/processes",
        "namespaces/default/symbols",
    ):
        yield "GET", f"/v1/{path}/{key}", None
    report = {"runtime": name, "namespace": "x", "seen": 1, "interval": 5}
    yield "PUT", f"/v1/reports/{key}", report
    for query in ("cursor", "name", "id", "annotation", "namespace"):
        yield "GET", f"/v1/specs?{query}={key}", None
    for annotations in ({"heddle/file": name}, {"heddle/file": f"{name}.yaml"}):
        entry = {"kind": "nop", "name": "x", "annotations": annotations}
        yield "POST", f"{DEFAULT}/apply", entry
        yield "POST", "/v1/store/changes", {"changes": [{"put": entry}]}


@pytest.mark.parametrize("name", NAMES)
async def test_no_name_is_an_error_of_the_server(folder: Path, name: str) -> None:
    async with managing(store=FolderStore(folder)) as one:
        for method, path, body in requests(name):
            reply = await one.call(method, path, body)
            assert reply.status < 500, (method, path, reply)
            assert "Retry-After" not in reply.headers
            assert str(folder) not in reply.text
    assert sorted(each.name for each in folder.parent.iterdir()) == ["far", "flows"]
    assert list((folder.parent / "far").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/namespaces/locked/specs/r", {"kind": "nop", "annotations": {"a": "b"}}),
        ("/v1/namespaces/web/specs/r", {"kind": "nop"}),
        ("/v1/namespaces/bad/specs/r", {"kind": "nop"}),
        (f"{DEFAULT}/specs/x", {"kind": "nop", "annotations": {"heddle/file": "link/x.yaml"}}),
        (f"{DEFAULT}/specs/a%2Fb", {"kind": "nop"}),
    ],
)
async def test_what_cannot_be_written_is_a_conflict_or_a_problem(
    folder: Path, path: str, body: Any
) -> None:
    async with managing(store=FolderStore(folder)) as one:
        if "heddle/file" in str(body):
            assert (await one.call("PUT", f"{path}?dryRun=true", body)).status == 422
        reply = await one.call("PUT", path, body)
        assert reply.status in (409, 422), reply
        assert "Retry-After" not in reply.headers
        assert str(folder) not in reply.text
        assert data(reply)["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/store",
        "/v1/store/problems",
        f"{DEFAULT}/status",
        "/v1/namespaces/bad/status",
        f"{DEFAULT}/symbols",
        f"{DEFAULT}/symbols/n",
        "/v1/reports",
        "/v1/revisions",
    ],
)
async def test_no_answer_tells_where_the_store_is(folder: Path, path: str) -> None:
    async with managing(store=FolderStore(folder)) as one:
        reply = await one.call("GET", path)
        assert reply.status == 200
        assert str(folder) not in reply.text


UNTYPED = (
    *({}, {"Content-Type": ""}, {"Content-Type": "text/plain"}, {"Content-Type": "*/*"}),
    *({"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "json"}),
    *({"Content-Type": "multipart/form-data"}, {"Content-Type": "application/json, text/plain"}),
    {"Content-Type": "application/json\r\nContent-Type: text/plain"},
    {"Content-Type": "application/json; a=b\r\nContent-Type: application/json"},
    *(
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/octet-stream"},
    ),
)


@pytest.mark.parametrize("headers", UNTYPED)
async def test_a_body_without_an_accepted_type_changes_nothing(headers: dict[str, str]) -> None:
    json = b'{"kind": "snippet", "name": "evil", "language": "text", "code": "hi"}'
    async with managing() as one:
        for method, path, body in (
            ("POST", f"{DEFAULT}/apply", json),
            ("POST", f"{DEFAULT}/specs", json),
            ("PUT", f"{DEFAULT}/specs/evil", json),
            ("PATCH", f"{DEFAULT}/specs/pong", b'{"code": "hi"}'),
            ("POST", f"{DEFAULT}/rollback", b'{"revision": 1}'),
            ("POST", "/v1/store/changes", b'{"changes": []}'),
            ("POST", "/v1/sql", b'{"statement": "SELECT 1"}'),
            ("PUT", "/v1/reports/a", b"{}"),
        ):
            reply = await fetch(one.port, path, method=method, headers=headers, body=body)
            assert reply.status == 415, (method, path, reply)
            assert data(reply)["detail"]
        assert [each.name for each in await one.rt.store.specs() if each.name == "evil"] == []
