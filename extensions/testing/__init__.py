"""Testing: kinds that try flows out and check what they do, and the runner behind `heddle test`."""

from heddle.extensions.extension import Extension
from heddle.extensions.testing.assertion import ASSERT
from heddle.extensions.testing.trial import TEST


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kind(ASSERT)
    extension.kind(TEST)
