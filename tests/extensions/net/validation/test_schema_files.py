"""validate: schemas in files are checked, followed, and never lost between two looks."""

import asyncio
import os
from pathlib import Path

import pytest

from heddle.extensions.net.validation.references import SchemaFiles
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from tests.extensions.net.validation.support import problems_of
from tests.support import degraded, running

pytestmark = pytest.mark.anyio


def flow(folder: Path, file: str = "part.json") -> str:
    return f"- {{kind: validate, name: it, root: '{folder}', schema: {file}}}"


async def saved(rt: Runtime, file: Path, text: str, event: str) -> None:
    """Save a file, and wait until the follower has read it."""
    seen = asyncio.ensure_future(rt.events.wait(event))
    await asyncio.sleep(0)
    await asyncio.to_thread(file.write_text, text)
    async with asyncio.timeout(60):
        await seen


@pytest.fixture
def saved_after_reading(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Save a file anew just after it was read, once for each text in the list."""
    texts: list[bytes] = []
    read = Path.read_bytes

    def read_and_save(path: Path) -> bytes:
        data = read(path)
        if texts:
            path.write_bytes(texts.pop())
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_save)
    return texts


def test_a_save_while_a_file_is_read_is_a_change(
    tmp_path: Path, saved_after_reading: list[bytes]
) -> None:
    (tmp_path / "part.json").write_text("{}")
    saved_after_reading.append(b'{"type": "integer"}')
    files = SchemaFiles(str(tmp_path), {})
    assert files.load(files.uri_of("part.json")) == {}
    assert files.changed()
    anew = files.anew()
    assert anew.load(anew.uri_of("part.json")) == {"type": "integer"}
    assert not anew.changed()


async def test_a_save_before_the_follower_looks_is_not_lost(
    tmp_path: Path, saved_after_reading: list[bytes]
) -> None:
    (tmp_path / "part.json").write_text('{"type": "string"}')
    saved_after_reading.append(b'{"type": "integer"}')
    async with running(flow(tmp_path)) as rt:
        if type(await rt.send("it", 7)) is Error:
            async with asyncio.timeout(60):
                await rt.events.wait("schema changed")
        assert await rt.send("it", 7) == 7


@pytest.mark.parametrize(
    "bad",
    [
        '{"allOf": 5}',
        '{"properties": []}',
        "7",
        "[]",
        '{"$ref": 5}',
        '{"type": {}}',
        '{"a": ' * 2000,
    ],
)
async def test_no_file_ends_the_follower(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "part.json"
    file.write_text('{"type": "integer"}')
    async with running(flow(tmp_path)) as rt:
        await saved(rt, file, bad, "schema rejected")
        assert "schema is rejected, the one before stays" in degraded(rt, "it")
        assert await rt.send("it", 7) == 7
        assert type(await rt.send("it", "a")) is Error
        await saved(rt, file, '{"type": "string"}', "schema changed")
        assert await rt.send("it", "a") == "a"
        assert degraded(rt, "it") == ""


async def test_files_of_a_failed_attempt_are_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "part.json", tmp_path / "other.yaml"
    file.write_text('{"type": "integer"}')
    async with running(flow(tmp_path)) as rt:
        await saved(rt, file, '{"$ref": "other.yaml"}', "schema rejected")
        await saved(rt, other, "type: 5", "schema rejected")
        assert 'other.yaml" at "/type"' in degraded(rt, "it")
        await saved(rt, other, "type: string", "schema changed")
        assert await rt.send("it", "a") == "a"


async def test_a_folder_that_is_another_now_is_read_anew(tmp_path: Path) -> None:
    for name, type_ in (("one", "integer"), ("two", "string")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.json").write_text(f'{{"type": "{type_}"}}')
    link, new = tmp_path / "now", tmp_path / "new"
    link.symlink_to("one")
    async with running(flow(link)) as rt:
        assert await rt.send("it", 7) == 7
        seen = asyncio.ensure_future(rt.events.wait("schema changed"))
        await asyncio.sleep(0)
        new.symlink_to("two")
        os.replace(new, link)  # noqa: PTH105
        async with asyncio.timeout(60):
            await seen
        assert await rt.send("it", "a") == "a"


@pytest.mark.parametrize(
    ("text", "at", "line"),
    [
        ("$defs:\n  new:\n    type: objekt\n", "/$defs/new/type", 3),
        ("$defs:\n  new: {allOf: 5}\n", "/$defs/new/allOf", 2),
        ("$defs:\n  new:\n    items:\n      pattern: '('\n", "/$defs/new/items/pattern", 4),
        ("$defs:\n  new:\n    not: {$ref: none.json}\n", "/$defs/new/not/$ref", 3),
        (
            "x: 1\n$defs:\n  new: {$ref: '#/parts/b'}\nparts:\n  b: {type: [x]}\n",
            "/parts/b/type",
            5,
        ),
    ],
)
def test_a_file_without_a_schema_is_a_problem_at_its_line(
    tmp_path: Path, text: str, at: str, line: int
) -> None:
    (tmp_path / "task.yaml").write_text(text)
    [problem] = problems_of(flow(tmp_path, "'task.yaml#/$defs/new'"))
    assert problem.place.file == str(tmp_path / "task.yaml")
    assert problem.place.line == line
    assert problem.path.startswith("it.schema")
    assert f'in the file "task.yaml" at "{at}"' in problem.found


def test_a_schema_by_uri_is_checked_like_a_file() -> None:
    text = """
- kind: validate
  name: v
  schema: {$ref: 'https://example.com/a.json'}
  schemas: {'https://example.com/a.json': {properties: {n: {minimum: many}}}}
"""
    [problem] = problems_of(text)
    assert 'in the schema "https://example.com/a.json" at "/properties/n/minimum"' in problem.found


def test_a_folder_or_a_pipe_is_not_a_schema(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("folder.json", "pipe.json"):
        [problem] = problems_of(flow(tmp_path, name))
        assert f'"{name}" is not a file' in problem.found
