"""Testing: kinds that try flows out and check what they do, and the runner behind `heddle test`."""

from heddle.extensions.extension import Extension

KINDS = {
    "assert": "assertion:ASSERT",
    "test": "trial:TEST",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
