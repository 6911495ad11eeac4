"""heddle test: run the tests of flows, and tell which passed, which failed, and which did not run."""

from collections.abc import Sequence

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import (
    ENVIRONMENT,
    EXTENSION,
    JSON,
    NAMESPACE,
    STORE,
    options,
    settings_of,
)

LIMIT = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest that a test may take, if it does not say so itself.",
)
JUNIT = click.option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
WATCH = click.option(
    "--watch", is_flag=True, help="Run the tests again whenever a file is saved, until Ctrl-C."
)
UPDATE = click.option(
    "--update", is_flag=True, help="Write the golden files of the tests instead of comparing them."
)
SPECS = click.option(
    "--from-specs",
    multiple=True,
    metavar="FILE",
    help="Specs to test, kept in memory only; `-` is standard input. Repeatable.",
)
VALUES = click.option(
    "--from-values",
    multiple=True,
    metavar="FILE",
    help="Values for them, kept in memory only. Repeatable.",
)


def _watch(store: str, files: Sequence[str]) -> int:
    """Run the tests after each save; return the last exit code."""
    import sys
    from pathlib import Path

    paths = files or (store.removeprefix("file://"),)
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        raise click.UsageError(f"--watch needs files or a folder (found: {missing[0]})")
    from heddle.cli.views.test_watch import watch_tests

    return watch_tests(paths, [word for word in sys.argv[1:] if word != "--watch"])


@click.command(
    cls=ExampleCommand,
    short_help="Run the tests of flows.",
    examples=[
        ("Every test of the store", "heddle test"),
        ("Those with orders in their name, of a folder", "heddle test orders flows"),
        (
            "Write the golden files anew; read the difference before you commit",
            "heddle test --update",
        ),
        ("Again after each save", "heddle test --watch"),
        ("For a CI service", "heddle test --junit results.xml"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, passed: number, failed: number, not_run: number, seconds: number, "
                "tests: [{name, result, seconds, message?, remark?, place?}], "
                "problems: [{severity, code, file?, line?, column?, path?, found, expected?, hint?, message}]}"
            ),
        )
    ],
)
@click.argument("regex", required=False)
@click.argument("path", required=False)
@options(STORE, SPECS, VALUES, NAMESPACE, ENVIRONMENT, EXTENSION, LIMIT, UPDATE, WATCH, JUNIT, JSON)
def command(
    regex: str | None,
    path: str | None,
    store: str | None,
    from_specs: tuple[str, ...],
    from_values: tuple[str, ...],
    config: str | None,
    extensions: tuple[str, ...],
    timeout: float,
    update: bool,
    watch: bool,
    junit: str | None,
    as_json: bool,
    **flags: object,
) -> None:
    """Run the specs of kind `test` whose `namespace/name` REGEX is found in; all without it.

    PATH is a folder or a file of specs, or the address of a store, as for `heddle start`. An only
    argument that is a file or a folder, or ends like a file of specs, is the PATH. Tests run one
    after the other, each in a process of its own, in a runtime in which everything else is live,
    too. Blanks are filled from `[test.environment]` of the settings file, over its `[environment]`.

    With --watch, each round is a process of its own: specs, settings and modules of Python are read
    anew, and the exit code is that of the last round.

    The exit code is 1 if a test failed or could not run, where a spec has a problem, and where
    REGEX is found in no name.
    """
    # One function: the options of a command are its parameters; the body only hands them on.
    import re
    from pathlib import Path

    from heddle.specs.files.spec_names import SUFFIXES

    if regex is not None and path is None and (Path(regex).exists() or regex.endswith(SUFFIXES)):
        regex, path = None, regex
    sources = {
        f"PATH ({path})": path,
        f"--store {store}": store,
        "--from-specs": from_specs,
        "--from-values": from_values and not from_specs,
    }
    given = [name for name, value in sources.items() if value]
    if len(given) > 1:
        raise click.UsageError(
            f"give only one of PATH, --store and --from-specs (found: {', '.join(given)})"
        )
    try:
        pattern = re.compile(regex) if regex is not None else None
    except re.error as error:
        raise click.UsageError(f'"{regex}" is not a regular expression: {error}') from error
    settings = settings_of(
        config,
        extensions,
        testing=True,
        store=path if path is not None else store,
        **flags,
    )
    if watch:
        raise click.exceptions.Exit(_watch(settings.store, (*from_specs, *from_values)))

    from heddle.cli.views.output import print_json, print_problems
    from heddle.cli.views.test_run import Ran, TestRun, as_data, print_result, summary

    def report(ran: Ran) -> None:
        if junit is not None:
            from heddle.cli.views.junit import write_junit

            write_junit(Path(junit), ran.results, ran.seconds)
        if as_json:
            print_json(as_data(ran))
            return
        print_problems(ran.problems, source=trying.source, strict=True)
        click.echo(summary(ran))

    trying = TestRun(
        settings,
        pattern,
        specs=from_specs,
        values=from_values,
        limit=timeout,
        update=update,
        on_result=(lambda _: None) if as_json else print_result,
        on_stuck=report,
    )
    ran = trying.run()
    report(ran)
    if not ran.ok:
        raise click.exceptions.Exit(FAILED)
