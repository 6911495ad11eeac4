"""Words of a key say whether its value is a secret: whole words, however they are joined."""

import re
from collections.abc import Iterable
from unicodedata import normalize

REDACTED = (
    "authorization",
    "cookie",
    "set-cookie",
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api key",
    "credential",
    "credentials",
    "private key",
    "card number",
    "cvv",
    "iban",
    "ssn",
)
"""The words that are hidden unless `[redact] allow` says otherwise; a key that holds such a word holds a secret."""

_LONGEST = 256
"""Characters of a key that are looked at: a longer one is data."""

_KEPT = 4096
"""Keys whose answer is remembered."""

# `apiKey` is two words, `APIKey` too, and `line2` is one and a number.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


def words_of(key: str) -> tuple[str, ...]:
    """Return the words of a key in lower case: `setCookie`, `SET_COOKIE` and `set-cookie` have the same."""
    plain = key if key.isascii() else normalize("NFKC", key)
    return tuple(word.lower() for word in _WORD.findall(plain[:_LONGEST]))


class Words:
    """The keys that are redacted: those that hold one of these words, unless they are allowed.

    `keys` come beside REDACTED. `allow` are keys that are shown all the same, as a whole: `token type`
    allows `token_type` and `tokenType`, and nothing else.
    """

    def __init__(self, keys: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        entries = [words_of(entry) for entry in (*REDACTED, *keys)]
        self._runs = tuple(dict.fromkeys(run for run in entries if run))
        self._single = frozenset(run[0] for run in self._runs if len(run) == 1)
        self._single |= {"".join(run) for run in self._runs}
        self._many = tuple(run for run in self._runs if len(run) > 1)
        self._allow = frozenset(words_of(entry) for entry in allow)
        self._known: dict[str, bool] = {}

    def hide(self, key: object) -> bool:
        """Return whether the value of this key is a secret."""
        if not isinstance(key, str):
            return False
        known = self._known.get(key)
        if known is None:
            known = self._hide(key)
            if len(key) <= _LONGEST:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = known
        return known

    def allow(self, key: str) -> bool:
        """Return whether the settings have this key shown."""
        return words_of(key) in self._allow

    def _hide(self, key: str) -> bool:
        words = words_of(key)
        if words in self._allow:
            return False
        if not self._single.isdisjoint(words):
            return True
        return any(
            words[start : start + len(run)] == run
            for run in self._many
            for start in range(len(words) - len(run) + 1)
        )

    @property
    def stems(self) -> frozenset[str]:
        """Texts of which one stands in every text that names such a key, in lower case."""
        return frozenset(run[0] for run in self._runs)
