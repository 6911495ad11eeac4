"""An editor saves a file while an operator applies to it and clients hammer what it serves.

No file is ever torn, no answer is lost or made up, and the history leads to what the files say.
"""

import asyncio
import random
import threading
from pathlib import Path

import pytest

from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import StoreError
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Put, Resource
from heddle.specs.stores.folder.recorder import BY_HAND
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.yaml.document import read_text
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

ROUNDS = 40

FLOW = """\
# What everybody edits.
- kind: listener
  name: listener
  port: 0
  ports: {{out: {{name: router, port: in}}}}
- kind: router
  name: router
  routes:
    - {{method: GET, path: /hand, port: 'out[0]'}}
    - {{method: GET, path: /operator, port: 'out[1]'}}
  ports: {{out[0]: {{name: hand}}, out[1]: {{name: operator}}}}

# By hand.   {mark}
- kind: snippet
  name: hand
  language: text
  code: 'hand {number}'   # kept

# By the operator.
- kind: snippet
  name: operator
  language: text
  code: 'operator 0'   # kept, too
""".replace(
    "{out[0]: {{name: hand}}, out[1]: {{name: operator}}}",
    "{'out[0]': {{name: hand}}, 'out[1]': {{name: operator}}}",
)


class Editor:
    """A person with an editor: reads the file, changes a line, saves it, in one of the ways of editors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chance = random.Random(7)
        self.saved = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        for number in range(1, ROUNDS + 1):
            lines = self.path.read_text().splitlines(keepends=True)
            text = "".join(
                f"  code: 'hand {number}'   # kept\n" if "'hand " in line else line
                for line in lines
            )
            if self.chance.random() < 0.5:
                self.path.write_text(text)
            else:
                part = self.path.with_name(f".{self.path.name}.swp")
                part.write_text(text)
                part.replace(self.path)
            self.saved = number
        self.done.set()


async def operate(store: FolderStore, done: threading.Event) -> tuple[int, int]:
    """Apply one change after the other until the editor is done: how many were made, and how many rejected."""
    made = rejected = 0
    while not done.is_set() or made < 5:
        specs = {each.name: each for each in await store.specs()}
        old = specs.get("operator")
        if old is None:
            continue
        new = Spec(
            id=old.id,
            kind="snippet",
            name="operator",
            fields={"language": "text", "code": f"operator {made + 1}"},
        )
        try:
            await store.apply([Put(resource=new)], Note("ada", str(made + 1)))
            made += 1
        except StoreError:
            # The editor was faster, or is in the midst of a save: look again.
            rejected += 1
        await asyncio.sleep(0)
    return made, rejected


async def hammer(port: int, path: str, stop: asyncio.Event) -> list[str]:
    """Return every answer to a client that asks again and again."""
    found: list[str] = []
    while not stop.is_set():
        reply = await fetch(port, path)
        assert reply.status == 200, reply
        found.append(reply.text)
    return found


async def test_an_editor_and_an_operator_work_on_one_file_while_clients_hammer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW.format(number=0, mark=""))
    store = FolderStore(tmp_path)
    async with Runtime(store=store) as rt:
        port, stop, editor = port_of(rt), asyncio.Event(), Editor(path)
        clients = [
            asyncio.create_task(hammer(port, each, stop)) for each in ("/hand", "/operator") * 2
        ]
        editor.thread.start()
        try:
            made, _ = await operate(store, editor.done)
            # Whoever was last: both say something once more, and that is live in the end.
            text = path.read_text()
            assert text.count("# kept") == 2
            path.write_text(text.replace(f"'hand {editor.saved}'", "'hand last'"))
            operator = next(each for each in await store.specs() if each.name == "operator")
            fields = {"language": "text", "code": "operator last"}
            last = Spec(id=operator.id, kind="snippet", name="operator", fields=fields)
            await store.apply([Put(resource=last)], Note("ada", "last"))
            async with asyncio.timeout(30):
                for word in ("operator", "hand"):
                    while (await fetch(port, f"/{word}")).text != f"{word} last":
                        pass
        finally:
            editor.thread.join()
            stop.set()
        answers = [await each for each in clients]
        assert made >= 5
        for each, word in zip(answers, ("hand", "operator") * 2, strict=True):
            assert each
            assert {answer.partition(" ")[0] for answer in each} == {word}
        await check_history(store, path)


def said_by(path: Path) -> dict[Key, Resource]:
    """Return what the file says, every line as somebody left it."""
    reading = read_text(path.read_bytes(), file=str(path), key=path.name)
    assert not reading.problems
    assert path.read_text().count("# kept") == 2
    return {key_of(each): each for each in reading.specs}


async def check_history(store: FolderStore, path: Path) -> None:
    """Check that every revision leads from one state to the next, and that the last one is what the file says."""
    revisions = list(reversed(await store.history(limit=100_000)))
    state: dict[Key, Resource | None] = {}
    for revision in revisions:
        for turn in revision.turns:
            assert turn.key not in state or state[turn.key] == turn.before
            state[turn.key] = turn.after
        assert revision.author == ("" if revision.message == BY_HAND else "ada")
    numbers = [revision.number for revision in revisions]
    assert numbers == sorted(set(numbers))
    said = said_by(path)
    assert {key: said[key] for key in state} == state
