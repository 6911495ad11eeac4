"""The entry point of the program: as little as can be, so that Ctrl-C never shows a traceback.

Importing the rest takes a moment, and on a busy machine a long one.
"""

import os
import sys


def main() -> None:
    """Run the command line of this process; never returns."""
    _open_streams()
    try:
        from heddle.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # What is raised here comes from writing help: all else is told by the commands.
        sys.exit(f"error: standard output: {str(error.strerror).lower()}")


def _open_streams() -> None:
    """Give each standard stream that this process was begun without (`>&-`) a nothing in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


if __name__ == "__main__":
    main()
