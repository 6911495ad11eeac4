"""What the source rooms never do: guard data with `assert`, or compare protocol words as Unicode text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "specs", "runtime", "extensions", "cli")
# Test kits that are shipped: for stores of others to assert that they keep their promises.
KITS = frozenset(
    f"specs/stores/{kit}.py"
    for kit in (
        "contract",
        "indexed_contract",
        "keyed_contract",
        "lease_contract",
        "recording_contract",
    )
) | {"extensions/tasks/run_stores/kit.py"}
PROTOCOLS = ("extensions/net", "extensions/manage")
FOLDING = frozenset({"lower", "upper", "casefold", "title", "capitalize", "swapcase"})
TRIMMING = frozenset({"strip", "lstrip", "rstrip", "split", "rsplit"})
DIGITS = frozenset({"isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isspace"})
# Words that nobody sends: texts of our own, and PEM text that is decoded strictly afterwards.
OWN = {
    ("extensions/net/http/head.py", "split"),
    ("extensions/net/certificate.py", "split"),
    ("extensions/net/http_client/http.py", "rstrip"),
    ("extensions/net/static/place.py", "swapcase"),
    ("extensions/net/ws/client_link.py", "rstrip"),
    ("extensions/net/ws/handshake.py", "strip"),
    ("extensions/net/sse/event.py", "strip"),
    ("extensions/net/proxy/tunnel.py", "isdigit"),
    ("extensions/manage/page.py", "rstrip"),
    ("extensions/manage/operations/runtimes.py", "rstrip"),
    ("extensions/manage/operations/meta.py", "rstrip"),
}


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield every source file below these folders, parsed."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text())


def unicode_words(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Call that look at text as Unicode: the method, and its line."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, bare = node.func.attr, not node.args and not node.keywords
        if name in FOLDING | DIGITS or (name in TRIMMING and bare):
            yield name, node.lineno


def test_no_assert_guards_data_at_run_time() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in sources(*ROOMS)
        if name not in KITS
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert found == [], "raise an error instead: python -O takes assertions out"


def test_protocol_words_are_compared_as_ascii() -> None:
    found = [
        f"{name}:{line} .{method}()"
        for name, tree in sources(*PROTOCOLS)
        for method, line in unicode_words(tree)
        if (name, method) not in OWN
    ]
    assert found == [], "use heddle.schemas.ascii"


@pytest.mark.parametrize(
    ("code", "method"),
    [("x.lower()", "lower"), ("x.strip()", "strip"), ("x.isdigit()", "isdigit")],
)
def test_the_search_for_unicode_words_finds_them(code: str, method: str) -> None:
    assert [name for name, _ in unicode_words(ast.parse(code))] == [method]
    assert list(unicode_words(ast.parse("x.strip(' ')"))) == []
