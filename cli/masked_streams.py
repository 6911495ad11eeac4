"""A mask for what code of flows prints by itself, as for everything that Heddle says."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast


class MaskedStream:
    """A stream that masks what is written to it, piece by piece; all else is that of the stream behind it."""

    def __init__(self, stream: TextIO, mask: Callable[[str], str]) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: str) -> int:
        """Write the text masked; how much of the text that was."""
        self._stream.write(self._mask(text))
        return len(text)

    def writelines(self, lines: "list[str]") -> None:
        """Write lines masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def masked_streams(mask: Callable[[str], str]) -> Iterator[None]:
    """Mask what anybody in this process prints on standard output and standard error."""
    out, err = (cast("TextIO", MaskedStream(stream, mask)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield
