"""heddle fmt: bring spec files into their canonical form."""

import difflib
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import FAILED
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, options, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heddle.cli.documents import Documents
    from heddle.cli.settings import Settings
    from heddle.schemas.problem import Problem
    from heddle.specs.model.entry import Order

CHECK = click.option(
    "--check",
    is_flag=True,
    help="Write nothing; the exit code is 1 if a file is not in canonical form.",
)
DIFF = click.option("--diff", is_flag=True, help="Write nothing; show what would be changed.")


@click.command(
    cls=ExampleCommand,
    short_help="Bring spec files into their canonical form.",
    examples=[
        ("Every file of a folder", "heddle fmt flows"),
        ("In CI", "heddle fmt --check --diff flows"),
        ("From an editor", "heddle fmt - < flow.yaml"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, files: [{file, changed, diff?, text?}], problems: [as of heddle check]}; "
                "`text` only of standard input"
            ),
        )
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@options(CHECK, DIFF, EXTENSION, JSON)
def command(
    paths: tuple[str, ...],
    check: bool,
    diff: bool,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
) -> None:
    """Write the specs of files, and of all files below folders, in one form: order of keys, quotes, links, blank lines.

    Links are written short (`out: read`) if that says the same; `[fmt] links` in `heddle.toml` may be
    `long`, or `keep` to leave each as it is.

    Without a PATH it is the folder in which you are. `-` reads standard input and writes standard
    output. What the files say is not changed, and comments stay with what they are about. A file
    with problems is left alone, and they are told. Each file is whole at every moment.

    The exit code is 1 if there are problems, and with --check if a file would be changed.
    """
    from heddle.cli.documents import Documents
    from heddle.cli.views.output import print_json, print_problems
    from heddle.cli.views.problem_report import as_data

    settings = settings_of(config, extensions)
    documents = Documents(paths or (".",))
    problems: list[Problem] = list(documents.problems)
    files = list(_formatted(documents, settings, problems))
    changed = [each for each in files if each["changed"]]
    if not check and not diff:
        _write(documents, changed)
    if as_json:
        shown = [_shown(each, diff=diff) for each in files]
        problem_data = [as_data(problem) for problem in problems]
        print_json(
            {
                "ok": not problems and not (check and changed),
                "files": shown,
                "problems": problem_data,
            }
        )
    else:
        print_problems(problems, source=documents.source)
        _print_files(files, check=check, diff=diff)
    if problems or (check and changed):
        raise click.exceptions.Exit(FAILED)


def _formatted(
    documents: "Documents", settings: "Settings", problems: "list[Problem]"
) -> "Iterator[dict[str, Any]]":
    """Yield each file with its text as it is and as it should be; Problems of those that cannot be read."""
    from heddle.schemas.errors import SpecError
    from heddle.specs.yaml.canonical_form import formatted
    from heddle.specs.yaml.document import decode

    order = _order(settings)
    for file in documents.files:
        data = documents.data(file)
        text = decode(data) or ""
        is_json = file.endswith(".json") or (file == "<stdin>" and text.lstrip()[:1] in ("{", "["))
        try:
            after = formatted(
                data, file=file, order=order, is_json=is_json, links=settings.fmt_links
            )
        except SpecError as error:
            problems += error.problems
            continue
        yield {"file": file, "changed": after.encode() != data, "before": text, "text": after}


def _order(settings: "Settings") -> "Order":
    """Return the fields of each kind as it declares them, asked for when one comes up."""
    import msgspec

    from heddle.cli.extensions import installed
    from heddle.schemas.shape import fields_of

    registry = installed(settings)

    def order(kind: str) -> "Sequence[str]":
        known_kind = registry.scheme.find(kind)
        if known_kind is None:
            return []
        fields: type[msgspec.Struct] = known_kind.schema.fields
        return [field.name for field in fields_of(fields)]

    return order


def _write(documents: "Documents", changed: "Sequence[dict[str, Any]]") -> None:
    from heddle.specs.stores.folder.atomic_write import write_files

    for each in changed:
        if each["file"] != "<stdin>":
            write_files({each["file"]: (documents.data(each["file"]), each["text"].encode())})


def _shown(each: "dict[str, Any]", *, diff: bool) -> "dict[str, Any]":
    data = {"file": each["file"], "changed": each["changed"]}
    if diff:
        data["diff"] = "".join(_diff(each))
    return data | {"text": each["text"]} if each["file"] == "<stdin>" else data


def _print_files(files: "Sequence[dict[str, Any]]", *, check: bool, diff: bool) -> None:
    """Print what became of the files; standard input goes to standard output."""
    text = "would be formatted" if check or diff else "formatted"
    for each in files:
        if diff:
            click.echo("".join(_diff(each)), nl=False)
        elif each["file"] == "<stdin>" and not check:
            click.echo(each["text"], nl=False)
        if each["changed"] and not diff and (check or each["file"] != "<stdin>"):
            click.echo(f"{text}: {each['file']}")
    count = sum(each["changed"] for each in files)
    rest = len(files) - count
    left = "is as it should be" if rest == 1 else "are as they should be"
    click.echo(f"{_count(count)} {text}, {rest} {left}", err=True)


def _count(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def _diff(each: "dict[str, Any]") -> "Iterator[str]":
    file = each["file"]
    for line in difflib.unified_diff(
        each["before"].splitlines(keepends=True),
        each["text"].splitlines(keepends=True),
        f"{file} (as it is)",
        f"{file} (canonical)",
    ):
        yield line if line.endswith("\n") else f"{line}\n\\ no line break at the end\n"
