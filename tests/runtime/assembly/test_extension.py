"""Extensions come in by one door; what is wrong with one is told by its name."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from heddle.runtime.assembly import extension as door
from heddle.runtime.assembly.extension import Extension, ExtensionError, Registry, registry
from heddle.runtime.assembly.kind import node
from heddle.runtime.assembly.language import Language
from heddle.specs.model.store import Store
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.opener import Stores


@node("echo")
def echo(payload: Any) -> Any:
    return payload


PIG = Language(name="pig", summary="Pig Latin.", compile=lambda code: lambda _: code)


def first(extension: Extension) -> None:
    extension.kind(echo)
    extension.language(PIG)
    extension.store("shelf", shelf)
    extension.command("dance", dance)
    extension.hook(load=print)


def shelf(url: str, namespace: str) -> Store:
    del namespace
    return MemoryStore(url=url)


def dance() -> None:
    """Run a command."""


def registry_of(*sources: Any) -> Registry:
    return registry(sources, installed=False)


def test_everything_that_is_added_is_there_with_its_owner() -> None:
    found = registry_of(first)
    assert found.scheme.find("echo") is echo
    assert found.scheme.owner("echo") == "tests.runtime.assembly.test_extension"
    assert found.scheme.languages.get("pig") is PIG
    assert found.stores.make("shelf://x").url == "shelf://x"
    assert found.commands == {"dance": dance}


def test_a_kind_or_a_language_may_stand_alone() -> None:
    found = registry_of(echo, PIG)
    assert found.scheme.find("echo") is echo
    assert found.scheme.languages.get("pig") is PIG
    assert found.scheme.owner("echo") == "tests.runtime.assembly.test_extension"


def again_kind(extension: Extension) -> None:
    extension.kind(echo)


def again_language(extension: Extension) -> None:
    extension.language(PIG)


def again_store(extension: Extension) -> None:
    extension.store("shelf", shelf)


def again_command(extension: Extension) -> None:
    extension.command("dance", dance)


for late in (again_kind, again_language, again_store, again_command):
    late.__module__ = "other.package"


@pytest.mark.parametrize(
    ("late", "what"),
    [
        (again_kind, 'kind "echo"'),
        (again_language, 'language "pig"'),
        (again_store, 'store scheme "shelf"'),
        (again_command, 'command "dance"'),
    ],
)
def test_adding_what_is_there_already_names_both_owners(late: Any, what: str) -> None:
    with pytest.raises(ExtensionError) as raised:
        registry_of(first, late)
    said = str(raised.value)
    assert said.startswith('extension "other.package": ')
    assert what in said
    assert "of other.package is there already, from tests.runtime.assembly.test_extension" in said


def test_a_kind_that_is_there_already_names_both_owners_even_alone() -> None:
    with pytest.raises(
        ExtensionError, match=r"is there already, from tests\.runtime\.assembly\.test_extension"
    ):
        registry_of(first, echo)


def test_our_own_store_schemes_cannot_be_taken() -> None:
    def takes(extension: Extension) -> None:
        extension.store("memory", shelf)

    with pytest.raises(ExtensionError, match="is there already, from heddle"):
        registry_of(takes)
    assert "memory" in Stores().known


def test_an_extension_can_be_named_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_nodes.py").write_text(
        "from heddle.extensions.extension import node\n"
        "@node('buy')\n"
        "def buy(payload): return payload\n"
        "def register(extension): extension.kind(buy)\n"
        "def more(extension): extension.command('sell', print)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = registry_of("shop_nodes", "shop_nodes:more")
    assert found.scheme.owner("buy") == "shop_nodes"
    assert found.owners == {"sell": "shop_nodes:more"}
    sys.modules.pop("shop_nodes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be loaded: No module named 'shop_broken' "),
        ("x = 1\n", "has no attribute 'register'"),
        ("raise KeyError('no shelf')\n", "cannot be loaded: KeyError('no shelf')"),
        ("exit(3)\n", "cannot be loaded: SystemExit(3)"),
        ("def register(extension): {}['x']\n", "cannot be registered: KeyError: 'x'"),
        ("def register(extension): exit(3)\n", "cannot be registered: SystemExit: 3"),
        ("def register(): pass\n", "cannot be registered: TypeError: register() takes 0"),
        ("def register(extension): extension.kid(1)\n", "has no attribute 'kid'"),
    ],
)
def test_a_broken_extension_is_told_by_name_and_with_the_reason(
    text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "shop_broken.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExtensionError) as raised:
        registry_of("shop_broken")
    assert str(raised.value).startswith('extension "shop_broken" ')
    assert said in str(raised.value)
    sys.modules.pop("shop_broken", None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\nraise KeyError('no shelf')\n", 2),
        ("x = 1\n\ndef f(:\n", 3),
        ("def register(extension):\n    extension.kid(1)\n", 2),
        ("import json\n\njson.loads('{')\n", 3),
    ],
)
def test_a_broken_extension_is_told_with_its_line(
    text: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_broken.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ExtensionError) as raised:
        registry_of("shop_broken")
    assert f" at {tmp_path / 'shop_broken.py'}:{line}" in str(raised.value)
    sys.modules.pop("shop_broken", None)


def test_what_is_no_extension_is_rejected() -> None:
    with pytest.raises(ExtensionError, match="7 is not an extension"):
        registry_of(7)


def announce(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    found = [EntryPoint(name, value, door.GROUP) for name, value in points.items()]
    monkeypatch.setattr(door, "entry_points", lambda group: found)


def test_installed_extensions_are_found_by_their_entry_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announce(monkeypatch, zoo="tests.runtime.assembly.test_extension:first")
    found = registry()
    assert found.scheme.owner("echo") == "zoo"


def test_a_broken_entry_point_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    announce(monkeypatch, zoo="no_such_zoo:register")
    with pytest.raises(ExtensionError, match=r'extension "zoo" \(no_such_zoo:register\) cannot be'):
        registry()


def test_ours_come_by_the_doors_that_strangers_use() -> None:
    found = registry()
    assert {"snippet", "if", "switch", "pipe"} <= found.scheme.names
    assert found.scheme.owner("snippet") == "control"
