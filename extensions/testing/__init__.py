"""Testing: kinds that try flows out and check what they do, and the runner behind `heddle test`."""

from heddle.extensions.extension import Extension

KINDS = {
    "assert": "assert_:ASSERT",
    "test": "test:TEST",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
