"""An unfilled blank: `{{ .NAME }}` in a Spec without `env` stays as text, which is rarely meant."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from heddle.schemas.path import Path
from heddle.schemas.problem import Problem
from heddle.specs.binding.template import BlankError, blanks, has_braces
from heddle.specs.model.spec import Spec

_DOTTED: Final = re.compile(r"\{\{-?\s*\.\s*([^\W\d]\w*)")
_CAPITALS: Final = re.compile(r"\{\{-?\s*([A-Z][A-Z0-9_]*)")
_CONSTANTS: Final = frozenset({"text", "json", "yaml"})
"""Languages whose code is data: in all others, braces are a matter of the language."""


def unfilled_blanks(specs: Iterable[Spec]) -> list[Problem]:
    """Return a hint for each text with a blank in a Spec that has no `env` to fill it."""
    return [
        _hint(spec, path, blank, name)
        for spec in specs
        if not spec.env and "params" not in spec.fields
        for path, blank, name in _texts(spec.fields, ())
    ]


def _texts(data: Any, path: Path, code: bool = False) -> Iterator[tuple[Path, str, str]]:
    """Yield the path of each text with a blank, the blank, and its name."""
    if isinstance(data, str):
        blank = _first(data, code) if has_braces(data) else None
        if blank is not None:
            yield path, *blank
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _texts(item, (*path, index), code)
    elif isinstance(data, dict):
        if "kind" in data and (data.get("env") or "params" in data):
            return
        language = data.get("language")
        for key, item in data.items():
            is_code = key == "code"
            if is_code and isinstance(language, str) and language not in _CONSTANTS:
                continue
            yield from _texts(item, (*path, key), code or is_code)


def _first(text: str, code: bool) -> tuple[str, str] | None:
    """Return the first blank of a text and its name; in code, only one that begins with a dot."""
    try:
        texts = blanks(text)
    except BlankError:
        return None
    for blank in texts:
        name = _DOTTED.match(blank) or (None if code else _CAPITALS.match(blank))
        if name is not None:
            return blank, name[1]
    return None


def _hint(spec: Spec, path: Path, blank: str, name: str) -> Problem:
    return Problem(
        code="unfilled-blank",
        found=f"{blank} stays as text, as the spec has no env",
        hint=f"If it is a blank, add env: {{{name}: {{data: '{{{{ .{name} }}}}'}}}}.",
        place=spec.place(path),
        path=spec.at(path),
    )
