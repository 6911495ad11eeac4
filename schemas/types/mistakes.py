"""Every mistake of a value by its path, as jsonschema lists them, in bounded time and length."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec

from heddle.schemas.data_type import describe_type
from heddle.schemas.path import Path
from heddle.schemas.types.alternatives import JsonSchema
from heddle.schemas.types.effort import EffortError, at_most
from heddle.schemas.types.type_words import describe_schema
from heddle.schemas.words import listed

Mask: TypeAlias = Callable[[Any], Any]
"""Returns the same plain data with every known secret masked."""

MOST: Final = 100
"""How many mistakes of one value are listed."""

SECONDS: Final = 2.0
"""How long the mistakes of one value are listed, in seconds of the processor."""

_LONGEST: Final = 64 * 1024
"""How many characters the mistakes of one value have together."""

_NAMES: Final = 10
"""How many names that are not known one mistake shows."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong with a value: the path to it, what was found, and what is expected."""

    path: Path
    found: str
    expected: str

    def __str__(self) -> str:
        """`rows[0].net: the text "x" (expected: number)`."""
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"{place.lstrip('.') or 'the value'}: {self.found} (expected: {self.expected})"


TOO_DEEP: Final = Mistake((), "data that is nested too deep", "data that is less deep")
"""The only one of data that cannot be checked to its end."""

MORE: Final = Mistake((), "more mistakes than are listed", "a value without mistakes")
"""The last one of a list that does not hold all of them."""


def list_mistakes(
    value: Any,
    schema: JsonSchema,
    *,
    most: int = MOST,
    mask: Mask | None = None,
    hold: float | None = None,
) -> list[Mistake]:
    """Return the mistakes of a value, in the order of their paths: MORE is the last if there are more.

    An empty list if the value is valid. jsonschema is imported here: nobody needs it who makes no
    mistakes. Raise ValueError if the schema itself is not valid, or has an expression that RE2 does not
    take. `mask` is applied to whatever is taken of the schema. EffortError if it takes more than `hold`
    seconds of the processor; without it, the list ends after some.
    """
    listing, lister = MistakeList(schema, mask), _lister_of(schema)
    try:
        with at_most(SECONDS if hold is None else hold):
            return listing.of(lister.iter_errors(value), most=most, cut=hold is None)
    except RecursionError:
        return [TOO_DEEP]


_listers: Final[dict[int, tuple[Any, Any]]] = {}
_MOST_LISTERS: Final = 256


def _lister_of(schema: Any) -> Any:
    """Return what lists the mistakes of values, made once for a schema; ValueError if that is not valid."""
    kept = _listers.get(id(schema))
    if kept is None:
        if len(_listers) >= _MOST_LISTERS:
            _listers.clear()
        # The schema is kept, too: no other gets its id meanwhile.
        kept = _listers[id(schema)] = schema, _new_lister(schema)
    return kept[1]


def _new_lister(schema: Any) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    from heddle.schemas.types.keywords import lister
    from heddle.schemas.types.schema_parts import all_parts, bad_pattern

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"the schema is not valid: {error.message}") from None
    for part, _ in all_parts(schema):
        bad = bad_pattern(part)
        if bad is not None:
            raise ValueError(f"the schema is not valid: {bad[0]}. {bad[0].hint}".rstrip(". "))
    return lister()(schema)


class MistakeList:
    """Says the errors of jsonschema as mistakes, in the words of one schema."""

    def __init__(self, schema: Any, mask: Mask | None = None) -> None:
        self.mask: Mask = mask or _as_it_is
        """Applied to whatever is taken of the schema: who sent the value may not know its secrets."""
        self._schema = schema
        self._words: dict[int, tuple[Any, str]] = {}
        self._named: Any = None

    def of(self, errors: Iterable[Any], *, most: int = MOST, cut: bool = True) -> list[Mistake]:
        """Return errors as mistakes, in the order of their paths: MORE is the last if there are more.

        They are cut when the time of the check is over; EffortError unless they may be.
        """
        mistakes: dict[Mistake, None] = {}
        length, more = 0, False
        try:
            for each in _leaves(errors):
                mistake = self._mistake(each)
                if mistake in mistakes:
                    continue
                length += sum(len(str(step)) for step in mistake.path)
                length += len(mistake.found) + len(mistake.expected)
                if len(mistakes) >= most or (mistakes and length > _LONGEST):
                    more = True
                    break
                mistakes[mistake] = None
        except EffortError:
            if not cut:
                raise
            more = True
        kept = list(mistakes)[: most - 1] if more else list(mistakes)
        ordered = sorted(kept, key=lambda each: [str(step) for step in each.path])
        return [*ordered, MORE] if more else ordered

    def _mistake(self, error: Any) -> Mistake:
        path = tuple(error.absolute_path)
        word, schema, value = error.validator, error.schema, error.instance
        if word is None:
            return Mistake(path, describe_type(value), "nothing here")
        if word == "required":
            # The message is the name.
            name = error.message
            part = schema.get("properties", {}).get(name, True)
            return Mistake((*path, self.mask(name)), "missing", self._expected(part))
        names = getattr(error, "names", None)
        if names is not None:
            known = [str(self.mask(name)) for name in schema.get("properties", {})]
            return Mistake(
                path, _unknown(names), f"one of {listed(known)}" if known else "no properties"
            )
        expected = self._expected(schema)
        if word in _IN_WORDS:
            return Mistake(path, describe_type(value), expected)
        limit = _limit(word, self.mask(error.validator_value))
        return Mistake(path, describe_type(value), f"{expected}, {limit}")

    def _expected(self, schema: Any) -> str:
        """Return the type that a schema describes."""
        if not isinstance(schema, dict):
            return "any" if schema is not False else "nothing"
        kept = self._words.get(id(schema))
        if kept is None:
            if self._named is None:
                root = self._schema
                named = isinstance(root, dict) and "$defs" in root
                self._named = self.mask({"$defs": root["$defs"]}) if named else {}
            # The schema is kept with its words: no other gets its id meanwhile.
            words = describe_schema({**self.mask(schema), **self._named})
            kept = self._words[id(schema)] = schema, words
        return kept[1]


def _as_it_is(value: Any) -> Any:
    return value


_IN_WORDS: Final = frozenset(
    [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ]
)
"""The keywords that the name of a type tells already."""


def _unknown(names: list[Any]) -> str:
    """Return the names that an object may not have, the first of them."""
    shown = [_cut(str(name)) for name in names[:_NAMES]]
    if len(names) > _NAMES:
        shown.append("more")
    return f"unknown {'property' if len(names) == 1 else 'properties'} {listed(shown)}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _leaves(errors: Iterable[Any]) -> Iterator[Any]:
    """Yield each error; of a union, those of the member that comes closest."""
    for error in errors:
        members: dict[Any, list[Any]] = {}
        for inner in islice(error.context or (), MOST * MOST):
            # The error of the schema `false` has no path.
            member = inner.schema_path[0] if inner.schema_path else len(members)
            members.setdefault(member, []).append(inner)
        deeper = [
            each
            for each in members.values()
            if all(inner.absolute_path != error.absolute_path for inner in each)
        ]
        if len(deeper) == 1:
            yield from _leaves(deeper[0])
        else:
            yield error


def _limit(word: str, limit: Any) -> str:
    """Return a keyword and its value in words: `minLength` 3 is `min length 3`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(word)).lower()
    text = str(limit) if not isinstance(limit, dict | list) else ""
    return f"{name} {text}".strip()
