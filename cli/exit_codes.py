"""A CommandError ends a command with one clear line for people; and the exit codes."""

from heddle.schemas.errors import HeddleError

OK = 0
FAILED = 1
USAGE = 2
DIFFERENT = 3
UNFOLLOWED = 4
BLOCKED = 5
SUSPENDED = 6
UNCONFIRMED = 7
INTERRUPTED = 130
TERMINATED = 143

EXIT_CODES = (
    (OK, "It did what was asked, and found nothing wrong."),
    (FAILED, "Problems were found, or it could not be done; why stands on standard error."),
    (USAGE, "The command line itself is wrong: an unknown command, flag or argument."),
    (DIFFERENT, "Of `heddle plan` and `heddle diff`: something would change, or differs."),
    (UNFOLLOWED, "Of `heddle status`: no runtime follows the namespace."),
    (BLOCKED, "Of `heddle run` and `heddle runs resume`: the run is blocked; a person decides."),
    (
        SUSPENDED,
        (
            "Of `heddle run` and `heddle runs resume`: the run is suspended; the last line is the "
            "command that resumes it."
        ),
    ),
    (
        UNCONFIRMED,
        (
            "A change set may have been made: the store was lost before it answered. The message "
            "holds its key; repeated with `--key`, it is made once."
        ),
    ),
    (
        INTERRUPTED,
        (
            "It was interrupted: Ctrl-C, or a second signal while `heddle start` drains. A run is "
            "suspended by that."
        ),
    ),
    (TERMINATED, "Of `heddle run` and `heddle runs resume`: SIGTERM has suspended the run."),
)
"""Every exit code of every command, and what it means."""


class CommandError(HeddleError):
    """A command cannot go on; the message tells place, found, expected and what to try."""
