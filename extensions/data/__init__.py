"""Data: kinds that work with files and with texts that hold tables."""

from heddle.extensions.data.file import FILE
from heddle.extensions.data.jsonlines import JSONL
from heddle.extensions.data.tables import CSV
from heddle.extensions.extension import Extension


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    for kind in (CSV, FILE, JSONL):
        extension.kind(kind)
