"""Data: kinds that work with files and with texts that hold tables."""

from heddle.extensions.extension import Extension

KINDS = {
    "csv": "csv_:CSV",
    "file": "file:FILE",
    "jsonl": "jsonl:JSONL",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
