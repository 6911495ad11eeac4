"""Secrets that nobody declared: which keys have one, and how it is hidden wherever payloads are shown."""

from heddle.specs.secrets.redaction import Redactor
from heddle.specs.secrets.words import REDACTED, Words, words_of

__all__ = ["REDACTED", "Redactor", "Words", "words_of"]
