"""The floor of `edit`: watchfiles alone. Told of a change, it reads the file and says what the leaf is."""

import sys
from pathlib import Path

from watchfiles import watch

LEAF = "code: leaf "


def main() -> None:
    """Watch the folder of a file as closely as watchfiles can; a line for each change seen."""
    path = Path(sys.argv[1])
    # No filter, and no wait for more changes to come: every advantage it can have. The first line
    # comes from the pause without changes, by which the watch has surely begun.
    for _ in watch(
        path.parent,
        watch_filter=None,
        debounce=1,
        step=1,
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        print(_leaf(path), flush=True)


def _leaf(path: Path) -> str:
    """Return what the leaf says; empty in a file that is half written."""
    for line in path.read_text().splitlines():
        if line.lstrip().startswith(LEAF):
            return line.partition("code: ")[2]
    return ""


if __name__ == "__main__":
    main()
