"""heddle git: have git compare and merge specs by what they say."""

import difflib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import CommandFamily, ExampleCommand
from heddle.cli.options import JSON, options

if TYPE_CHECKING:
    from heddle.specs.model.difference import Diff

ATTRIBUTES = tuple(f"*{suffix} diff=heddle merge=heddle" for suffix in (".yaml", ".yml", ".json"))
"""The lines of .gitattributes."""

CONFIG = (
    ("merge.heddle.name", "specs, by node and port"),
    ("merge.heddle.driver", "heddle merge %O %A %B -o %A --path %P --marker-size %L"),
    ("diff.heddle.command", "heddle git diff"),
)
"""The settings of git, which never come with a clone: each person makes them once."""

EVERYWHERE = click.option(
    "--global",
    "everywhere",
    is_flag=True,
    help="In the settings of git for every repository of yours.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")


@click.group(
    cls=CommandFamily,
    short_help="Have git compare and merge specs by what they say.",
    examples=[
        ("For the specs below flows/", "heddle git install flows"),
        ("Then git does it by itself", "git diff; git merge other-branch"),
    ],
)
def command() -> None:
    """Git asks Heddle for the difference of two spec files, and for the merge of three, once that is installed."""


@command.command(
    "install",
    cls=ExampleCommand,
    short_help="Tell git to ask Heddle about specs.",
    examples=[
        ("For the specs below flows/", "heddle git install flows"),
        ("What that would do", "heddle git install flows --dry-run"),
    ],
    shapes=[("--json", "{config: [[name, value]], attributes: file, lines: [text], done}")],
)
@click.argument("folder", metavar="[FOLDER]", default=".", required=False)
@options(EVERYWHERE, DRY_RUN, JSON)
def install(
    folder: str, everywhere: bool, dry_run: bool, as_json: bool, config: str | None
) -> None:
    """Write .gitattributes of FOLDER (the folder in which you are, unless said otherwise), and the settings of git.

    .gitattributes is for everybody, and is committed; the settings are yours, and are made in each
    clone (or once, with --global). What is there already is left as it is.
    """
    from heddle.cli.views.output import print_json

    del config
    root = Path(folder)
    if not root.is_dir():
        raise CommandError(f"{folder}: there is no such folder (expected: the folder of the specs)")
    path = root / ".gitattributes"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in ATTRIBUTES if line not in text.splitlines()]
    if not dry_run:
        for name, value in CONFIG:
            _git(root, "config", *(["--global"] if everywhere else []), name, value)
        if missing:
            ended = text if not text or text.endswith("\n") else f"{text}\n"
            path.write_text(ended + "".join(f"{line}\n" for line in missing), encoding="utf-8")
    if as_json:
        print_json(
            {"config": CONFIG, "attributes": str(path), "lines": missing, "done": not dry_run}
        )
        return
    for name, value in CONFIG:
        click.echo(f"git config {'--global ' if everywhere else ''}{name} {_shown(value)}")
    for line in missing:
        click.echo(f"{path}: {line}")


def _git(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError("git is not there. Install it, and try again") from None
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise CommandError(f"git {' '.join(arguments)}: {reason[-1] if reason else 'it failed'}")


def _shown(value: str) -> str:
    return f"'{value}'" if " " in value else value


@command.command(
    "diff",
    cls=ExampleCommand,
    short_help="Show a difference as git asks for it.",
    examples=[
        (
            "As git calls it",
            "heddle git diff flow.yaml /tmp/old 1f3c9a1 100644 /tmp/new 8d5ae06 100644",
        ),
    ],
)
@click.argument("path", metavar="PATH")
@click.argument("old", metavar="OLD")
@click.argument("old_hash", metavar="HASH")
@click.argument("old_mode", metavar="MODE")
@click.argument("new", metavar="NEW")
@click.argument("new_hash", metavar="HASH")
@click.argument("new_mode", metavar="MODE")
@click.argument("renamed", nargs=-1, metavar="[RENAMED]...")
@options()
def diff(
    path: str,
    old: str,
    old_hash: str,
    old_mode: str,
    new: str,
    new_hash: str,
    new_mode: str,
    renamed: tuple[str, ...],
    config: str | None,
) -> None:
    """Show what tells two versions of a file apart, node by node and port by port.

    git calls it with these arguments (diff.heddle.command). Files that cannot be read as specs are
    compared line by line. The exit code is 0 whether they differ or not, as git wants it.
    """
    from heddle.cli.views.diff_view import print_details, summary
    from heddle.schemas.errors import SpecError

    del old_hash, old_mode, new_hash, new_mode, config
    title = f"{path} -> {renamed[0]}" if renamed and renamed[0] != path else path
    click.secho(f"heddle diff {title}", bold=True)
    texts = _text(old), _text(new)
    try:
        diffs = _compared(path, *texts)
    except SpecError as error:
        click.echo(f"line by line: {error.problems[0]}")
        click.echo("".join(_lines(path, *texts)), nl=False)
        return
    if diffs:
        print_details(diffs)
    click.echo(
        summary(diffs) if diffs else "it says the same: only comments, order or style differ"
    )


def _compared(path: str, old: str, new: str) -> "list[Diff]":
    from heddle.specs.merge.comparison import Sheet, compared

    return compared([Sheet.read(old, file=path)], [Sheet.read(new, file=path)])


def _text(path: str) -> str:
    """Return what a file says; nothing for one that is not there on this side."""
    if path == os.devnull:
        return ""
    return Path(path).read_bytes().decode(errors="replace")


def _lines(path: str, old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    ):
        yield line if line.endswith("\n") else f"{line}\n"
