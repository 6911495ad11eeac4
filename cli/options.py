"""The options that many commands share, and the Settings that come of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from heddle.cli.complaint import warn
from heddle.cli.group import AS_JSON, DEBUG
from heddle.cli.settings import Settings, load_settings, unknown_variables
from heddle.specs.model.limits import use_limits
from heddle.specs.model.names import KEY_RULE, NAMESPACE_RULE, legal_key, legal_namespace

C = TypeVar("C", bound=Callable[..., Any])


def _namespace(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not legal_namespace(value):
        raise click.BadParameter(
            f'"{value}" is not a namespace (expected: {NAMESPACE_RULE})', ctx, param
        )
    return value


def _environment(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    """`-e NAME=VALUE`, each by its name; the last one of a name counts."""
    names: dict[str, str] = {}
    for each in value:
        name, mark, text = each.partition("=")
        if not mark:
            raise click.BadParameter(f'"{each}" is not a NAME=VALUE', ctx, param)
        if not legal_key(name):
            raise click.BadParameter(
                f'the name "{name}" cannot be a blank ({KEY_RULE})', ctx, param
            )
        names[name] = text
    return names


def _debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[DEBUG] = True


def _as_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    if value:
        ctx.meta[AS_JSON] = True
    return value


def drain_option(text: str) -> Callable[[C], C]:
    """Return the option `--drain`; `text` says for what it gives time."""
    return click.option(
        "--drain",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help=f"{text}  [default: 30]",
    )


NAMESPACE = click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    callback=_namespace,
    help="The namespace.  [default: of the settings, or `default`]",
)
STORE = click.option(
    "--store",
    metavar="URL",
    help="A folder, a file or an address of specs.  [default: of the settings, or ./]",
)
SERVER = click.option(
    "--server",
    metavar="URL",
    help="The API of a system namespace, instead of a store: https://HOST:PORT.",
)
TOKEN = click.option(
    "--token-file",
    metavar="FILE",
    help="The token for --server.  [default: of the settings; also: HEDDLE_TOKEN]",
)
ENVIRONMENT = click.option(
    "-e",
    "--environment",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_environment,
    help="What the blank {{ .NAME }} is filled with; over those of the settings. Repeatable.",
)
EXTENSION = click.option(
    "-x",
    "--extension",
    "extensions",
    metavar="MODULE",
    multiple=True,
    help="An extension to load beside those that are installed. Repeatable.",
)
CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="The settings file.  [default: the nearest heddle.toml upwards; also: HEDDLE_CONFIG]",
)
TRACEBACKS = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks."
)
JSON = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_as_json,
    help="Print JSON for programs, of failures too.",
)


def options(*chosen: Callable[[Any], Any]) -> Callable[[C], C]:
    """Add these options to a command, in this order; `--config` and `--debug` come last.

    A command that takes a store takes the API in front of one, too.
    """
    every: list[Callable[[Any], Any]] = []
    for each in chosen:
        every += [STORE, SERVER, TOKEN] if each is STORE else [each]

    def add(command: C) -> C:
        for option in reversed((*every, CONFIG, TRACEBACKS)):
            command = option(command)
        return command

    return add


def settings_of(config: str | None, extensions: tuple[str, ...] = (), **flags: Any) -> Settings:
    """Return the Settings with these flags over them (None: not given); raise CommandError if they are wrong.

    With `testing=True`, the `[test.environment]` of the file goes over its `[environment]`.
    """
    testing = flags.pop("testing", False)
    server = flags.pop("server", None)
    if server is not None:
        if flags.get("store") is not None:
            raise click.UsageError("give --store or --server, not both")
        if not server.startswith(("http://", "https://")):
            raise click.UsageError(
                f'--server: "{server}" (expected: http://HOST:PORT or https://…)'
            )
        flags["store"] = server
    settings = load_settings(flags, config=config, testing=testing)
    use_limits(settings.limits)
    for warning in unknown_variables():
        warn(warning)
    import msgspec

    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(DEBUG):
        settings = msgspec.structs.replace(settings, tracebacks=True)
    if not extensions:
        return settings
    both = tuple(dict.fromkeys((*settings.extensions, *extensions)))
    return msgspec.structs.replace(settings, extensions=both)
