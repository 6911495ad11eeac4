"""A suggestion names the known word that was probably meant: a synonym first, then a near spelling."""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

Sort: TypeAlias = Literal["", "kind", "language", "function", "field", "command", "zone"]
"""The sort of a word: it decides which synonyms the word may have."""

_LONGEST: Final = 64
"""A longer word is compared with nothing: nobody can name what it was meant to be."""


def did_you_mean(word: str, known: Iterable[str], sort: Sort = "") -> str:
    """Return `Did you mean "in"?`, or an empty text if no known word is near."""
    quoted = [f'"{each}"' for each in candidates(word, known, sort)]
    return f"Did you mean {' or '.join(quoted)}?" if quoted else ""


def nearest(word: str, known: Iterable[str], sort: Sort = "") -> str | None:
    """Return the known word that was probably meant, or None."""
    words = candidates(word, known, sort)
    return words[0] if words else None


def candidates(word: str, known: Iterable[str], sort: Sort = "") -> tuple[str, ...]:
    """Return the known words that were probably meant: several only for a word with synonyms."""
    # Not at the top: most runs of a command have nothing to suggest.
    from heddle.schemas.synonyms import TABLES, plain

    words = sorted(known)
    key = plain(word)
    same = next((each for each in words if plain(each) == key), None)
    if same is not None and key:
        return (same,)
    synonyms = TABLES[sort].get(key, ()) if sort else ()
    if synonyms:
        # A word of another system is not a slip of the keyboard.
        return tuple(each for each in synonyms if each in words)
    near = _near(word.casefold(), words) or (_same_city(word, words) if sort == "zone" else None)
    return () if near is None else (near,)


def _same_city(word: str, zones: list[str]) -> str | None:
    """Return the time zone of the city that the word ends in: Asia/Seoul for Europe/Seoul."""
    city = word.rpartition("/")[2].casefold().replace(" ", "_")
    return next((each for each in zones if each.rpartition("/")[2].casefold() == city), None)


def _near(word: str, known: list[str]) -> str | None:
    """Return the known word with the fewest slips, if they are few for its length."""
    if not word or len(word) > _LONGEST:
        return None
    best, least = None, _slips_allowed(word) + 1
    for each in known:
        other = each.casefold()
        if abs(len(other) - len(word)) >= least:
            continue
        slips = _distance(word, other, least)
        if slips < least and _alike(word, other, slips):
            best, least = each, slips
    return best


def _slips_allowed(word: str) -> int:
    return 1 if len(word) < 5 else 2 if len(word) < 9 else 3


def _alike(word: str, other: str, slips: int) -> bool:
    """Return False for short words that merely have about as many letters."""
    short = min(len(word), len(other))
    if short < 3:
        # Of two letters both must be there: `inn` is near `in`, but `on` is not.
        return len(word) != len(other) or sorted(word) == sorted(other)
    return slips * 3 <= max(len(word), len(other))


def _distance(word: str, other: str, limit: int) -> int:
    """Return how many slips lie between two words: a letter more, less, another, or two swapped."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        earlier, before, row = before, row, [at]
        for to, opposite in enumerate(other, 1):
            cost = min(before[to] + 1, row[-1] + 1, before[to - 1] + (letter != opposite))
            swapped = at > 1 and to > 1 and letter == other[to - 2] and word[at - 2] == opposite
            row.append(min(cost, earlier[to - 2] + 1) if swapped else cost)
        if min(row) >= limit and min(before) >= limit:
            return limit
    return row[-1]
