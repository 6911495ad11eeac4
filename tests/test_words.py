"""Words are plain: names say what they hold, class names are unique, docstrings begin with a verb.

Ruff checks the mood of docstrings (D401) and that exceptions end in Error (N818); the rest is here.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "specs", "runtime", "extensions", "cli")

VAGUE = frozenset(
    {
        "amiss", "ask", "asked", "came", "found", "one", "said", "say", "tell", "told", "what",
        "whoever",
    }
)  # fmt: skip
"""Participles, pronouns and verbs without an object: none of them names the thing that it holds."""

TALK = frozenset(
    {
        "asked", "came", "heard", "knew", "knows", "meant", "nobody", "ones", "said", "say", "says",
        "somebody", "tell", "tells", "told", "took", "trouble", "wanted", "whoever", "whom", "whose",
    }
)  # fmt: skip
"""The same as a part of a name, such as `_tell_once` or `binding_said`: a name says what it does or holds."""

FIELD = "found"
"""The field of a Problem, and of what becomes one, that says what was written."""

PROBLEMS = frozenset(
    {"BlankError", "FieldError", "Mistake", "Problem", "ProblemModel", "UnstorablePartError"}
) | {
    "TextProblem",
    "UnreachablePart",
}
"""The classes that have this field."""

MAKER = "reject"
"""The method that makes a Problem of its arguments."""

REPLACED = {
    "refused": "rejected", "refusal": "rejection", "unfit": "invalid", "ill": "degraded",
    "impaired": "degraded", "amiss": "wrong", "spoiled": "invalid", "told": "emitted",
}  # fmt: skip
"""Words that name a state or an event no longer, each with the word that does."""

PRONOUNS = re.compile(r"(What|Whatever|Whoever|Who|Whom|Whose|Where|Wherever|Which)\b")
"""The words with which no docstring begins."""

CLAUSES = re.compile(r"(How|Why|Whether)\b")
"""The words that may begin the docstring of a field or a property, but not that of anything else."""


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Return every source file with its tree."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return tuple((str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in files)


def bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield each name that a tree binds, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield node.lineno, name
            case ast.MatchStar(name=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name


def parts_of(name: str) -> list[str]:
    """Return the words of a name: those of `RefusedSpec` are `refused` and `spec`."""
    return re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower())


def fields_of_problems(tree: ast.AST) -> set[int]:
    """Return the lines of PROBLEMS and of MAKER, in which `found` is a field."""
    return {
        line
        for node in ast.walk(tree)
        if (isinstance(node, ast.ClassDef) and node.name in PROBLEMS)
        or (isinstance(node, ast.FunctionDef) and node.name == MAKER)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_no_name_is_a_participle_or_a_pronoun() -> None:
    vague = [
        f"{file}:{line} {name}"
        for file, tree in sources()
        for line, name in bound(tree)
        if name.strip("_").lower() in VAGUE
        and not (name == FIELD and line in fields_of_problems(tree))
    ]
    assert vague == []


def test_each_class_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(f"{file}:{node.lineno}")
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_file_is_named_by_a_vague_word() -> None:
    files = [file for file, _ in sources() if Path(file).stem.strip("_") in VAGUE]
    assert files == []


def documented(tree: ast.AST) -> Iterator[tuple[ast.AST, int, str]]:
    """Yield each docstring with what it describes: a field has one, too, on the line behind it."""
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for number, line in enumerate(body if isinstance(body, list) else []):
            match line:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield (body[number - 1] if number else node), line.lineno, text


def is_value(node: ast.AST) -> bool:
    """Return whether a docstring describes a field or a property."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any("property" in ast.unparse(each) for each in node.decorator_list)
    return isinstance(node, ast.Assign | ast.AnnAssign)


def test_no_docstring_begins_with_a_pronoun() -> None:
    pronouns = [
        f"{file}:{line} {text.splitlines()[0]}"
        for file, tree in sources()
        for node, line, text in documented(tree)
        if PRONOUNS.match(text) or (CLAUSES.match(text) and not is_value(node))
    ]
    assert pronouns == []


def test_no_part_of_a_name_is_a_word_of_talk() -> None:
    talk = [
        f"{file}:{line} {name}"
        for file, tree in sources()
        for line, name in bound(tree)
        if not (name.startswith("test_") or TALK.isdisjoint(parts_of(name)))
    ]
    assert talk == []


def test_names_of_states_are_those_of_the_glossary() -> None:
    """Look at the words inside names, such as `refused_by` and `RefusedSpec`."""
    old = [
        f"{file}:{line} {name}: say {REPLACED[word]}"
        for file, tree in sources()
        for line, name in bound(tree)
        for word in parts_of(name)
        if word in REPLACED
    ]
    assert old == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("found = 1", ["found"]),
        ("def told(asked): ...", ["told", "asked"]),
        ("for one in []: self.said = one", ["one", "said"]),
        ("try: ...\nexcept E as what: ...", ["what"]),
        ("import x as say", ["say"]),
    ],
)
def test_a_vague_name_is_seen_wherever_it_is_bound(line: str, names: list[str]) -> None:
    assert sorted(name for _, name in bound(ast.parse(line))) == sorted(names)


@pytest.mark.parametrize(
    ("text", "docstrings"),
    [
        ('"""What it is."""', ["What it is."]),
        (
            'class A:\n    """Who asks."""\n    b: int\n    """Where it is."""',
            ["Where it is.", "Who asks."],
        ),
        ('def f():\n    """Do it."""\n    "no docstring of f"', ["Do it.", "no docstring of f"]),
    ],
)
def test_a_docstring_is_seen_wherever_it_stands(text: str, docstrings: list[str]) -> None:
    assert sorted(each for _, _, each in documented(ast.parse(text))) == docstrings
