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


@click.command(
    cls=ExampleCommand,
    short_help="Tell everything that is wrong with specs, without running them.",
    examples=[
        ("A folder", "heddle check flows"),
        ("As it will run, every blank filled", "heddle check flows -e PORT=8000 --strict-env"),
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
@options(ENVIRONMENT, STRICT, NAMESPACE, EXTENSION, JSON)
def command(
    paths: tuple[str, ...],
    strict_env: bool,
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
    are warnings. A link whose types cannot fit is an error: every packet that takes it would fail.

    The exit code is 1 when there is any error.
    """
    # One function: the options of a command are its parameters; the body only hands them on.
    from heddle.cli.documents import Documents
    from heddle.cli.extensions import installed, reachable_specs
    from heddle.cli.views.output import print_json, print_problems
    from heddle.cli.views.problem_report import as_data, severity, summary
    from heddle.runtime.assembly.check import CheckResult, check_specs
    from heddle.runtime.assembly.graph_check import check_graph
    from heddle.schemas.check import in_order
    from heddle.specs.binding.bind import ValueSet

    settings = settings_of(config, extensions, **flags)
    registry = installed(settings)
    documents = Documents(paths)
    reachable_specs(paths)
    reading = documents.read(namespace=settings.namespace)
    checked: CheckResult = check_specs(
        reading.specs,
        ValueSet(reading.values),
        registry,
        partial=reading.invalid,
        environment=settings.environment,
        strict_env=strict_env,
    )
    # What could not be read is told once; that it is missing elsewhere follows from it.
    left_out = {problem.path.partition(".")[0] for problem in reading.problems}
    unread = not reading.whole
    # What could not be read may be what leads there, or answers.
    whole = not reading.problems
    graph = check_graph(
        checked.parts,
        registry.scheme.schema,
        whole=whole,
        type_of_code=registry.scheme.languages.type_of,
    )
    rest = [
        problem
        for problem in (*checked.problems, *checked.dead, *graph)
        if problem.code != "missing-link"
        or not (unread or any(problem.found.endswith(f'"{name}"') for name in left_out if name))
    ]
    problems = in_order([*reading.problems, *rest])
    failed = any(severity(problem, strict=True) == "error" for problem in problems)
    texts = {
        each.path
        for each in problems
        if "env" in each.hint or each.code in ("code", "unknown-field")
    }
    shown = in_order([*problems, *(hint for hint in checked.hints if hint.path not in texts)])
    clear = [value.label for value in reading.values if value.secret and value.plain]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "files": documents.files,
                "specs": len(reading.specs),
                "values": len(reading.values),
                "missing": checked.missing,
                "closed": checked.closed,
                "clear": clear,
                "problems": [as_data(problem, strict=True) for problem in shown],
            }
        )
    else:
        print_problems(shown, source=documents.source, err=False, strict=True)
        counts = f"{_count(len(reading.specs), 'spec')} and {_count(len(reading.values), 'value')}"
        where = _count(len(documents.files), "file")
        click.echo(f"{summary(shown, strict=True)}: {counts} in {where}")
        if not (shown or documents.files):
            click.echo("nothing was checked: files of specs are named *.yaml, *.yml or *.json")
        if checked.missing and not strict_env:
            names = " ".join(f"-e {name}=…" for name in checked.missing)
            variables = " ".join(f"HEDDLE_ENVIRONMENT_{name}=…" for name in checked.missing)
            click.echo(
                f"left open, as the environment does not give them: {names} (or {variables})"
            )
        if checked.closed and not strict_env:
            click.echo(f"left open, as they cannot be opened here: {', '.join(checked.closed)}")
        if clear:
            click.echo(
                f"secrets in clear: {', '.join(clear)}; heddle key rotate --clear seals them"
            )
    if failed:
        raise click.exceptions.Exit(FAILED)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
