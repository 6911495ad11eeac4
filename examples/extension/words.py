"""An extension with one kind: count-words, which counts the words of a text."""

from collections import Counter
from typing import Annotated

from heddle import Extension, about, node


@node(
    "count-words",
    summary="Counts the words of a text.",
    category="examples",
    example="""\
- kind: count-words
  name: count
  most: 2
""",
)
def count_words(
    payload: str, *, most: Annotated[int, about("How many words to give.", ge=1)] = 3
) -> dict[str, int]:
    """Return the most frequent words of the text, and how often each is there."""
    return dict(Counter(payload.lower().split()).most_common(most))


def register(extension: Extension) -> None:
    """Add the kind."""
    extension.kind(count_words)
