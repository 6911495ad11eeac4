"""Text that arrives in pieces: what can never become UTF-8 is known with the first byte that is wrong."""

from encodings.utf_8 import IncrementalDecoder
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SURROGATES: Final = 0xED
_FIRST_SURROGATE: Final = 0xA0


class TextDecoder(IncrementalDecoder):
    """Decodes UTF-8 piece by piece; UnicodeDecodeError as soon as it is certain that it is none."""

    # The base class names its parameter so.
    def decode(self, input: "ReadableBuffer", final: bool = False) -> str:  # noqa: A002
        """Return the text of what is complete."""
        text: str = super().decode(input, final)
        pending = self.getstate()[0]
        if len(pending) > 1 and pending[0] == _SURROGATES and pending[1] >= _FIRST_SURROGATE:
            # The decoder of Python waits for the third byte of a surrogate.
            raise UnicodeDecodeError("utf-8", pending, 0, 2, "invalid continuation byte")
        return text
