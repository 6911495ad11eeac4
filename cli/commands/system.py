"""heddle system: the flows that the API is made of, to read, to copy and to change."""

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON, options

EJECT = click.option(
    "--eject",
    metavar="FOLDER",
    help="Write the files into this folder; what is there already stays.",
)


@click.command(
    cls=ExampleCommand,
    short_help="Show the flows of the API, to copy and to change.",
    examples=[
        ("All of it", "heddle system"),
        ("The way in: the listener, the limit, the tokens", "heddle system door"),
        ("Copies that stand over what is shipped", "heddle system --eject flows/system"),
    ],
    shapes=[("--json", "[{file, specs: [{kind, name, …}]}]")],
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@options(EJECT, JSON)
def command(files: tuple[str, ...], eject: str | None, as_json: bool, config: str | None) -> None:
    """Print the specs of the namespace `system`, as they are shipped, or those of some FILEs.

    `heddle start -n system`, or `heddle start --system`, runs them. A spec of that namespace in the
    store stands over the shipped one of its name: copy what you want to change, and leave the rest.
    """
    from heddle.cli.views.output import entry_of, print_json
    from heddle.extensions.manage.system import SYSTEM, texts
    from heddle.schemas.suggestion import did_you_mean
    from heddle.specs.yaml.document import read_text

    del config
    known = {name.removesuffix(".yaml"): text for name, text in texts().items()}
    for file in files:
        if file.removesuffix(".yaml") not in known:
            near = did_you_mean(file, list(known))
            raise CommandError(
                f'there is no "{file}" (expected: {", ".join(known)}). {near}'.rstrip(". ")
            )
    chosen = [file.removesuffix(".yaml") for file in files] or list(known)
    if eject is not None:
        _write(eject, {name: known[name] for name in chosen})
    elif as_json:
        read = {name: read_text(known[name], namespace=SYSTEM).specs for name in chosen}
        print_json(
            [
                {"file": f"{name}.yaml", "specs": [entry_of(spec) for spec in specs]}
                for name, specs in read.items()
            ]
        )
    else:
        click.echo("\n".join(known[name] for name in chosen), nl=False)


def _write(folder: str, texts: dict[str, str]) -> None:
    from pathlib import Path

    root = Path(folder)
    there = [name for name in texts if (root / f"{name}.yaml").exists()]
    if there:
        raise CommandError(
            f"{root / there[0]}.yaml is there already (expected: a folder without it). "
            "Take it away first, or eject into another folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (root / f"{name}.yaml").write_text(text, encoding="utf-8")
        click.echo(f"written  {root / name}.yaml")
