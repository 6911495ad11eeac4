"""heddle merge: merge spec files three ways, by node and port."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON, options, settings_of

if TYPE_CHECKING:
    from heddle.specs.merge.merge import MergeConflict
    from heddle.specs.merge.text_merge import TextMergeResult

OUTPUT = click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The file that gets the result; it may be one of the three.  [default: standard output]",
)
PATH = click.option(
    "--path",
    metavar="NAME",
    help="What messages call the file, and whose end says whether it is JSON.  [default: OURS]",
)
SIZE = click.option(
    "--marker-size",
    type=click.IntRange(1, 200),
    default=7,
    show_default=True,
    metavar="N",
    help="The length of conflict markers.",
)
LABELS = [
    click.option(
        f"--{side}-label",
        metavar="TEXT",
        default=side,
        show_default=True,
        help=f"What {side.upper()} is called behind its conflict marker.",
    )
    for side in ("base", "ours", "theirs")
]


@click.command(
    cls=ExampleCommand,
    short_help="Merge spec files three ways, by node and port.",
    examples=[
        (
            "Two copies of one file into one",
            "heddle merge old.yaml mine.yaml yours.yaml -o flow.yaml",
        ),
        (
            "As git asks for it, see heddle git install",
            "heddle merge %O %A %B -o %A --path %P --marker-size %L",
        ),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, by_lines?, conflicts: [{at, namespace, type, name?, id, reason, base?, ours?, "
                "theirs?, file?, line?, column?}], text?}; `text` only without -o"
            ),
        )
    ],
)
@click.argument("base", metavar="BASE")
@click.argument("ours", metavar="OURS")
@click.argument("theirs", metavar="THEIRS")
@options(OUTPUT, PATH, SIZE, *LABELS, JSON)
def command(
    base: str,
    ours: str,
    theirs: str,
    output: str | None,
    path: str | None,
    marker_size: int,
    base_label: str,
    ours_label: str,
    theirs_label: str,
    as_json: bool,
    config: str | None,
) -> None:
    """Bring what OURS and THEIRS made of BASE together, by what they say: nodes, fields, ports and links.

    The result is the text of OURS, its comments, order and style, with what THEIRS changed in it. What
    both changed, each in its own way, stands in it between conflict markers at the node or the field, and
    is told; the exit code is 1 then. Files that cannot be read as specs are merged line by line.
    """
    from heddle.cli.views.output import print_json
    from heddle.specs.merge.text_merge import Labels, merge_texts

    settings_of(config)
    merged = merge_texts(
        _text(base),
        _text(ours),
        _text(theirs),
        file=path or ours,
        labels=Labels(base=base_label, ours=ours_label, theirs=theirs_label, size=marker_size),
    )
    if output is not None:
        _write(output, merged.text)
    if as_json:
        print_json(_as_data(merged, with_text=output is None))
    else:
        if output is None:
            click.echo(merged.text, nl=False)
        _print_merge(merged)
    if not merged.clean:
        raise click.exceptions.Exit(FAILED)


def _text(path: str) -> str:
    """Return what a file says; raise CommandError if it cannot be read."""
    from heddle.specs.yaml.document import decode

    try:
        data = Path(path).read_bytes() if path != os.devnull else b""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"{path}: {reason} (expected: a spec file)") from None
    text = decode(data)
    if text is None:
        raise CommandError(f"{path}: bytes that are not UTF-8 (expected: a spec file)")
    return text


def _write(path: str, text: str) -> None:
    from heddle.specs.stores.folder.atomic_write import read_bytes, write_files

    write_files({path: (read_bytes(path), text.encode())})


def _print_merge(merged: "TextMergeResult") -> None:
    for each in merged.conflicts:
        click.echo(f"conflict: {each}", err=True)
    if merged.by_lines:
        click.echo(f"merged line by line: {merged.by_lines}", err=True)
    if not merged.clean:
        click.echo("Put right what stands between the markers: <<<<<<< to >>>>>>>", err=True)


def _as_data(merged: "TextMergeResult", *, with_text: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"ok": merged.clean}
    if merged.by_lines:
        data["by_lines"] = merged.by_lines
    data["conflicts"] = [_conflict(each) for each in merged.conflicts]
    return data | {"text": merged.text} if with_text else data


def _conflict(conflict: "MergeConflict") -> dict[str, Any]:
    from heddle.specs.model.difference import ABSENT
    from heddle.specs.model.mask import covered

    sides = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}
    data: dict[str, Any] = {
        "at": conflict.at,
        "namespace": conflict.namespace,
        "type": conflict.key[0].__name__.lower(),
        "name": conflict.label,
        "id": str(conflict.key[1]),
        "reason": conflict.reason,
        **{
            name: covered(data) if conflict.secret else data
            for name, data in sides.items()
            if data is not ABSENT
        },
    }
    if conflict.place.file:
        data |= {
            "file": conflict.place.file,
            "line": conflict.place.line,
            "column": conflict.place.column,
        }
    return data
