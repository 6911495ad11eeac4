"""Mutations of real texts: cut, doubled, spliced, and sprinkled with what readers stumble over."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

T = TypeVar("T", str, bytes)

EXAMPLES = int(os.environ.get("HEDDLE_FUZZ", "0"))

fuzz: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - the metaclass iterates over members
)
"""How a test of this folder runs."""

few: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=EXAMPLES or 30,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - the metaclass iterates over members
)
"""How a test runs that is there for each kind."""

ODD = [
    *(
        "",
        "\0",
        "\ufeff",
        "\u2028",
        "\x85",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "\\",
        '"',
        "'",
        "`",
        "\U0001f600",
    ),
    *(
        "\ud800",
        "\u212a",
        "\u0130",
        "é",
        "٣",
        "²",
        "--",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "%TAG ! x\n",
    ),
    *(
        "%",
        "%%",
        "%x",
        "&a ",
        "*a",
        "!!binary ",
        "!!int ",
        "!x ",
        "<<: ",
        "? ",
        "- ",
        ": ",
        "#",
        " #",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "(",
        ")",
        "|",
        ">",
        "|9\n",
        ">-\n",
        "@",
        ",",
        ";",
    ),
    *(
        "=",
        "0",
        "-1",
        "1e999",
        "-0",
        "0x",
        "1" * 40,
        "9" * 400,
        "1" * 5000,
        "NaN",
        ".inf",
        "null",
        "true",
    ),
    *(
        "~",
        "* * * * *",
        "?",
        "L",
        "W",
        "/0",
        "*/99999999",
        "\\u0000",
        "\\ud800",
        "\\x",
        "\\",
        "$",
        "^",
        "\x7f",
    ),
]


def _sized(text: T, part: T, at: int, kind: int, other: T) -> T:
    """Return one mutation of a text at a place."""
    at %= len(text) + 1
    end = min(len(text), at + 1 + kind // 7 % 20)
    sort = kind % 7
    if sort == 0:
        return text[:at] + part + text[at:]
    if sort == 1:
        return text[:at] + text[end:]
    if sort == 2:
        return text[:at] + part + text[end:]
    if sort == 3:
        return text[:at] + text[at:end] * (2 + kind % 50) + text[end:]
    if sort == 4:
        return text[:at] + other[at % (len(other) + 1) :]
    if sort == 5:
        return text + other
    return text[:at]


def mutated(seeds: Sequence[str], most: int = 5) -> st.SearchStrategy[str]:
    """Texts made out of these, by a few mutations each."""
    return _mutations(seeds, [*ODD, *seeds], most)


def mutated_bytes(seeds: Sequence[bytes], most: int = 5) -> st.SearchStrategy[bytes]:
    """Return the same for bytes."""
    odd = [each.encode("utf-8", "surrogatepass") for each in ODD]
    odd += [bytes([number]) for number in (0, 1, 127, 128, 192, 226, 254, 255)]
    return _mutations(seeds, [*odd, *seeds], most)


def _mutations(seeds: Sequence[T], parts: Sequence[T], most: int) -> st.SearchStrategy[T]:
    numbers = st.integers(0, 10_000)
    step = st.tuples(st.sampled_from(parts), numbers, numbers, st.sampled_from(seeds))

    def made(seed: T, steps: list[tuple[T, int, int, T]]) -> T:
        for part, at, kind, other in steps:
            seed = _sized(seed, part, at, kind, other)[:20_000]
        return seed

    return st.builds(made, st.sampled_from(seeds), st.lists(step, max_size=most))
