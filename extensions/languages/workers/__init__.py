"""Workers are processes of our own that run code under limits of the operating system.

Their machinery is imported when the first program is isolated.
"""

from heddle.runtime.assembly.language import OptionError, Options, Program

WAYS = ("process",)
"""The values of `isolation`."""


def isolated(language: str, code: str, options: Options, slack: float = 0.0) -> Program:
    """Return the program of a text that runs in a worker; it waits if the options allow that.

    `slack` is for how many seconds beyond its time limit the worker may have no processor.

    The text is taken as it stands: whoever calls this has seen that it compiles.
    """
    import sys

    if options.isolation not in (None, *WAYS):
        raise OptionError("isolation", f'there is no isolation "{options.isolation}"')
    if sys.platform == "win32":
        raise OptionError("isolation", "isolated processes need a POSIX system")
    if options.leaves and not options.waits:
        from heddle.extensions.languages.offload import Leave

        return Leave(language, code, options)
    from heddle.extensions.languages.workers.program import IsolatedProgram

    program = IsolatedProgram(language, code, options, slack)
    return program.waiting() if options.waits else program
