"""heddle init: a folder to begin with, which runs at once."""

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, options, settings_of
from heddle.cli.project import SCHEMA, TEMPLATES, project_files, shell_word, write_project

_LIST = "\n".join(f"  {name:10}{template.summary}" for name, template in TEMPLATES.items())


@click.command(
    cls=ExampleCommand,
    short_help="Make a folder to begin with: specs, tests, settings.",
    help=f"""Make a FOLDER from a TEMPLATE: specs, tests, `heddle.toml`, editor settings, a Dockerfile, and a README.

    Without a FOLDER, it is called like the template; without a TEMPLATE, the templates are listed. Nothing that is
    there is overwritten: if a file of that name exists, nothing is written.

    Templates:

    \b
{_LIST}
    """,
    examples=[
        ("A REST API, in the new folder shop", "heddle init api shop"),
        ("Then", "cd shop && heddle test && heddle start"),
        ("Into the working directory", "heddle init webhook ."),
        ("Which templates there are", "heddle init"),
    ],
)
@click.argument("template", required=False)
@click.argument("folder", required=False)
@options(EXTENSION)
def command(
    template: str | None, folder: str | None, config: str | None, extensions: tuple[str, ...]
) -> None:
    """Make a folder from a template; its help is given above, as it lists the templates."""
    from pathlib import Path

    from heddle.cli.extensions import installed
    from heddle.cli.views.kind_list import described
    from heddle.schemas.export import file_schema, kind_schema, to_json
    from heddle.schemas.suggestion import did_you_mean

    if template is None:
        click.echo(f"{_LIST}\n\nheddle init TEMPLATE [FOLDER] makes a folder from one of them.")
        return
    if template not in TEMPLATES:
        near = did_you_mean(template, list(TEMPLATES))
        raise CommandError(
            f'there is no template "{template}" (expected: {", ".join(TEMPLATES)}). {near}'.rstrip(
                ". "
            )
        )
    target = Path(folder or template)
    files = project_files(template, target.resolve().name)
    registry = installed(settings_of(config, extensions))
    languages = list(registry.scheme.languages.known)
    sound, _ = described(registry, lambda schema: kind_schema(schema, languages))
    files[SCHEMA] = to_json(file_schema(sound, languages))
    write_project(target, files)
    click.echo(
        f"{click.format_filename(target)}: {len(files)} files of the template {template}. Next:\n"
    )
    if target.resolve() != Path.cwd():
        click.echo(f"  cd {shell_word(str(target))}")
    click.echo(f"  heddle test\n  {TEMPLATES[template].start}")
