"""heddle check: everything that is wrong with specs, without running them."""

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import ENVIRONMENT, EXTENSION, JSON, NAMESPACE, options, settings_of

STRICT = click.option(
    "--strict-env",
    is_flag=True,
    help="A name that blanks need, and that neither -e nor the settings give, is a problem; so is a "
    "value that cannot be opened here.",
)

WATCH = click.option(
    "--watch", is_flag=True, help="Check again whenever a file is saved, until Ctrl-C."
)


@click.command(
    cls=ExampleCommand,
    short_help="Tell everything that is wrong with specs, without running them.",
    examples=[
        ("A folder", "heddle check flows"),
        ("As it will run, every blank filled", "heddle check flows -e PORT=8000 --strict-env"),
        ("While you write", "heddle check flows --watch"),
        ("What another program writes", "generate | heddle check - --json"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, files: [text], specs: number, values: number, missing: [text], "
                "closed: [text], clear: [text], "
                "problems: [{severity, code, file?, line?, column?, path?, found, expected?, hint?, message}]}"
            ),
        )
    ],
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options(WATCH, ENVIRONMENT, STRICT, NAMESPACE, EXTENSION, JSON)
def command(
    paths: tuple[str, ...],
    strict_env: bool,
    watch: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Read files and folders (`-`: standard input), and tell all problems of all of them together.

    Kinds, fields, types, ports, code, names and links are looked at as if these files were all
    there is: a link to a spec, or an env entry for a value, that does not stand in them is a
    problem. Values in the files fill blanks as they would in a runtime. Blanks whose names are not
    given are left open, and the names are told; so are values that are sealed with a key, or come
    from a place, that is not here. Only --strict-env makes them problems.

    Secrets that stand in clear in the files are named: that is a hint, and no problem. So is a
    blank in a spec without an env, which stays as text.

    The graph of the links is looked at, too: nodes that nothing leads to, requests that are never
    answered, packets that are never merged, Errors that go round, and what no packet can reach. These
    are warnings. A link whose types cannot fit is an error: every packet that takes it would fail. Answers that
    a listener with `answer: auto` would take now for data, now for a response, are a hint.

    With --watch, each save is checked, and what it has changed is shown: problems that are new in full,
    and those that are gone. With --json, that is the whole result, on one line. Functions of Python
    that workflows run are read once. Ctrl-C ends it.

    The exit code is 1 when there is any error; with --watch, when the last check has any.
    """
    from heddle.cli.documents import STDIN, Documents
    from heddle.cli.extensions import installed, reachable_specs
    from heddle.cli.views.check_view import FileCheck, check_files, print_check

    settings = settings_of(config, extensions, **flags)
    registry = installed(settings)
    if watch and STDIN in paths:
        raise click.UsageError("--watch needs files: standard input is read once")
    reachable_specs(paths)

    def check() -> FileCheck:
        return check_files(Documents(paths), settings, registry, strict_env=strict_env)

    if watch:
        from heddle.cli.views.check_watch import CheckWatch

        failed = CheckWatch(paths, check, as_json=as_json).run()
    else:
        result = check()
        print_check(result, as_json=as_json)
        failed = result.failed
    if failed:
        raise click.exceptions.Exit(FAILED)
