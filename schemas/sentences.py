"""Sentences of others as parts of our own messages."""


def lower_first(text: str) -> str:
    """Return the text with a small first letter, unless its first word is a name such as `JSON`.

    A word with a capital letter, a digit or a mark behind its first letter is a name: it stays.
    """
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    rest = word[1:].rstrip(",;:")
    if not rest and word not in ("A", "I"):
        return text
    if rest and (not rest.replace("'", "").isalpha() or rest != rest.lower()):
        return text
    return text if word == "I" else text[:1].lower() + text[1:]
