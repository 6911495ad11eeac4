"""Where the program begins: as little as can be, so that Ctrl-C never shows a traceback.

Importing the rest takes a moment, and on a busy machine a long one.
"""

import sys


def main() -> None:
    """Run the command line of this process; never returns."""
    try:
        from heddle.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
