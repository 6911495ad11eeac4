"""heddle kinds: the kinds that specs may have, and what may stand in them."""

from typing import TYPE_CHECKING, Any

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, options, settings_of

if TYPE_CHECKING:
    from heddle.cli.views.kind_list import InvalidKind
    from heddle.runtime.assembly.extension import Registry
    from heddle.schemas.schema import Schema


@click.command(
    cls=ExampleCommand,
    short_help="Show the kinds that specs may have, and their fields.",
    examples=[
        ("All of them, and the languages", "heddle kinds"),
        ("The fields and ports of one, with an example", "heddle kinds router"),
    ],
    shapes=[
        (
            "--json",
            "{kinds: [{kind, category, summary, extension}], languages: [{language, summary}], broken?: [{extension, kind, error}]}",
        ),
        (
            "KIND --json",
            (
                "{kind, category, summary, extension, fields: [{path, type, required, default?, help, …}], "
                "ports: {in, out, depends}, example, details}"
            ),
        ),
    ],
)
@click.argument("kind", required=False)
@options(EXTENSION, JSON)
def command(
    kind: str | None, as_json: bool, config: str | None, extensions: tuple[str, ...]
) -> None:
    """Show every kind by category, or the fields, ports and an example of one KIND.

    A kind that cannot be described is told and left out, and the exit code is 1.
    """
    from heddle.cli.extensions import installed
    from heddle.cli.views.kind_list import complain_of, described
    from heddle.cli.views.output import print_json
    from heddle.schemas.page import describe

    registry = installed(settings_of(config, extensions))
    if kind is not None:
        _show_kind(registry, kind, as_json)
        return
    sound, broken = described(registry, describe)
    if as_json:
        print_json(_all(registry, sound, broken))
    else:
        _list(registry, sound)
    complain_of(broken)


def _show_kind(registry: "Registry", kind: str, as_json: bool) -> None:
    from heddle.cli.views.kind_list import InvalidKind, tried
    from heddle.cli.views.output import print_json
    from heddle.schemas.page import describe, terminal
    from heddle.schemas.suggestion import did_you_mean

    if kind not in registry.scheme.names:
        near = did_you_mean(kind, sorted(registry.scheme.names), "kind")
        raise CommandError(f'no kind "{kind}". {near or "See heddle kinds"}')
    schema = tried(registry, kind, describe)
    if isinstance(schema, InvalidKind):
        raise CommandError(str(schema))
    if as_json:
        print_json({**describe(schema), "extension": registry.scheme.owner(kind)})
        return
    import shutil

    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    click.echo(terminal(schema, width), nl=False)


def _all(
    registry: "Registry", sound: "list[Schema[Any]]", broken: "list[InvalidKind]"
) -> dict[str, object]:
    from heddle.schemas.page import by_category

    scheme = registry.scheme
    groups = by_category(sound)
    return {
        "kinds": [
            {
                "kind": schema.kind,
                "category": category,
                "summary": schema.summary,
                "extension": scheme.owner(schema.kind),
            }
            for category, schemas in groups.items()
            for schema in schemas
        ],
        "languages": [
            {"language": name, "summary": language.summary}
            for name, language in sorted(scheme.languages.known.items())
        ],
        **({"broken": broken} if broken else {}),
    }


def _list(registry: "Registry", sound: "list[Schema[Any]]") -> None:
    from heddle.schemas.page import by_category

    scheme = registry.scheme
    parts = {
        category: [(schema.kind, schema.summary) for schema in schemas]
        for category, schemas in by_category(sound).items()
    }
    known = sorted(scheme.languages.known.items())
    parts["languages of code and conditions"] = [(name, each.summary) for name, each in known]
    width = max((len(name) for rows in parts.values() for name, _ in rows), default=0)
    for title, rows in parts.items():
        click.echo(click.style(title, bold=True))
        for name, summary in rows:
            click.echo(f"  {name:<{width}}  {summary}")
        click.echo()
    click.echo("heddle kinds KIND shows the fields and ports of one, with an example.")
