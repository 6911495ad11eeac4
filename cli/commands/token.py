"""heddle token: who may use the API, and for what."""

import asyncio
from typing import TYPE_CHECKING

import click

from heddle.cli.exit_codes import CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, STORE, options, settings_of
from heddle.specs.model.names import NAMESPACE_RULE, legal_namespace

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.extensions.manage.tokens import ApiToken

ROLES = ("read", "edit", "operate", "admin")


def _namespaces(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    for text in value:
        if not legal_namespace(text):
            raise click.BadParameter(
                f'"{text}" is not a namespace (expected: {NAMESPACE_RULE})', ctx, param
            )
    return value


ROLE = click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    help="What it is good for. `edit` and `operate` may read, `admin` may do everything. Repeatable.",
)
SPACES = click.option(
    "-n",
    "--namespace",
    "spaces",
    metavar="NAME",
    multiple=True,
    callback=_namespaces,
    help="Where: only in this namespace. Repeatable.  [default: everywhere]",
)
EXPIRES = click.option(
    "--expires",
    metavar="TIME",
    help="How long: 12h, 30d, or until 2027-01-31.  [default: for ever]",
)


@click.command(
    cls=ExampleCommand,
    short_help="Make, list and revoke the tokens of the API.",
    examples=[
        ("The first one, for yourself", "heddle token new ada --role admin"),
        (
            "For a deployment of one namespace",
            "heddle token new ci --role edit -n shop --expires 90d",
        ),
        ("Who has one", "heddle token list"),
        ("It holds no longer, from the next request on", "heddle token revoke ci"),
    ],
    shapes=[
        (
            "--json",
            (
                "new: {name, token, roles, namespaces, expires}; list: "
                "[{name, roles, namespaces, created, expires, expired}]; revoke: {name}"
            ),
        )
    ],
)
@click.argument("action", type=click.Choice(["new", "list", "revoke"]))
@click.argument("name", required=False)
@options(ROLE, SPACES, EXPIRES, STORE, EXTENSION, JSON)
def command(
    action: str,
    name: str | None,
    roles: tuple[str, ...],
    spaces: tuple[str, ...],
    expires: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
    **flags: object,
) -> None:
    """Make a token, list those that there are, or revoke one by its NAME.

    A token is shown once, when it is made: the store keeps only a hash of it, in a value of the
    namespace `system`. As long as there has been none, the API lets in whoever is on the same machine;
    with the first one, everybody needs one, also after the last one is revoked.
    """
    settings = settings_of(config, extensions, **flags)
    if action == "list":
        if name is not None:
            raise click.UsageError("heddle token list takes no NAME")
        _list(settings, as_json)
        return
    if name is None:
        raise click.UsageError(f"heddle token {action} takes a NAME: whose token it is")
    if action == "revoke":
        asyncio.run(_revoke(settings, name))
        _print_token({"name": name}, f"revoked  {name}: it lets nobody in any more", as_json)
        return
    if not roles:
        raise click.UsageError(f"say what it is good for: --role {'|'.join(ROLES)}")
    token, made = asyncio.run(_new(settings, name, roles, spaces, expires))
    if as_json:
        _print_token({**_shown(made), "token": token}, "", as_json)
        return
    click.echo(f"{name}: {_may(made)}. Keep it now, it is not shown again:", err=True)
    click.echo(token)


def _print_token(data: dict[str, object], line: str, as_json: bool) -> None:
    from heddle.cli.views.output import print_json

    if as_json:
        print_json(data)
    else:
        click.echo(line)


def _shown(token: "ApiToken") -> dict[str, object]:
    from heddle.extensions.manage.tokens import moment

    return {
        "name": token.name,
        "roles": list(token.roles),
        "namespaces": list(token.namespaces),
        "created": moment(token.created),
        "expires": moment(token.expires) if token.expires is not None else None,
    }


def _may(token: "ApiToken") -> str:
    from heddle.extensions.manage.tokens import moment

    where = "everywhere" if "*" in token.namespaces else f"in {', '.join(token.namespaces)}"
    until = f", until {moment(token.expires)}" if token.expires is not None else ""
    return f"{', '.join(token.roles)} {where}{until}"


# --- the three ------------------------------------------------------------------------------------


async def _new(
    settings: "Settings",
    name: str,
    roles: tuple[str, ...],
    spaces: tuple[str, ...],
    expires: str | None,
) -> tuple[str, "ApiToken"]:
    import time

    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import note_of
    from heddle.extensions.manage.caller import EVERY, known_roles
    from heddle.extensions.manage.system import SYSTEM
    from heddle.extensions.manage.tokens import (
        ApiToken,
        hash_of,
        legal_token_name,
        new_token,
        value_of,
    )
    from heddle.schemas.errors import ConflictError
    from heddle.specs.model.store import Put

    if not legal_token_name(name):
        raise CommandError(f'"{name}" cannot be the name of a token')
    now = time.time()
    token = new_token()
    made = ApiToken(
        name=name,
        hash=hash_of(token),
        roles=known_roles(roles),
        namespaces=spaces or (EVERY,),
        created=now,
        expires=_until(expires, now) if expires is not None else None,
    )
    async with opened(settings) as store:
        try:
            await store.apply(
                [Put(resource=value_of(made, SYSTEM), revision=0)],
                note_of(settings, f"a token for {name}"),
            )
        except ConflictError:
            raise CommandError(
                f'there is a token "{name}" already. Try: heddle token revoke {name}, or another name'
            ) from None
    return token, made


def _until(text: str, now: float) -> float:
    """Return when a token expires: so long from now, or at a date."""
    from datetime import UTC, datetime

    from heddle.schemas.field import FieldError
    from heddle.schemas.units import Duration

    try:
        moment = datetime.fromisoformat(text)
        until = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        try:
            if text.strip().replace(".", "").isdecimal():
                raise ValueError(text)
            until = now + float(Duration(text))
        except (FieldError, ValueError):
            raise CommandError(
                f'--expires: "{text}" is no time (expected: 12h, 30d, or a date such as 2027-01-31)'
            ) from None
    if until <= now:
        raise CommandError(f'--expires: "{text}" has passed already')
    return until


async def _revoke(settings: "Settings", name: str) -> None:
    from heddle.cli.stores import opened
    from heddle.cli.views.apply_view import note_of
    from heddle.extensions.manage.system import SYSTEM
    from heddle.extensions.manage.tokens import CLOSED, PREFIX, closing_mark
    from heddle.schemas.suggestion import did_you_mean
    from heddle.specs.model.store import Change, Delete, Put
    from heddle.specs.model.value import Value

    async with opened(settings) as store:
        values = {
            value.name: value for value in await store.values(SYSTEM) if value.name is not None
        }
        token = values.get(PREFIX + name)
        if token is None:
            known = [key.removeprefix(PREFIX) for key in values if key.startswith(PREFIX)]
            near = did_you_mean(name, known) or f"There are: {', '.join(sorted(known)) or 'none'}"
            raise CommandError(f'there is no token "{name}". {near}')
        changes: list[Change] = [Delete(type=Value, id=token.id, revision=token.revision)]
        last = not any(key.startswith(PREFIX) and key != token.name for key in values)
        if last and CLOSED not in values:
            # Without it, whoever starts on a copy of the store would find an API that is open.
            changes.append(Put(resource=closing_mark(SYSTEM), revision=0))
        await store.apply(changes, note_of(settings, f"the token of {name} is revoked"))


def _list(settings: "Settings", as_json: bool) -> None:
    import time

    from heddle.cli.views.output import print_json, print_table
    from heddle.extensions.manage.tokens import moment

    now = time.time()
    tokens, closed = asyncio.run(_tokens(settings))
    if as_json:
        print_json([{**_shown(token), "expired": token.expired(now)} for token in tokens])
        return
    if not tokens:
        effect = (
            "nobody in, for there were tokens" if closed else "in whoever is on the same machine"
        )
        click.echo(f"there is no token: the API lets {effect}", err=True)
        return
    rows = [
        (
            token.name,
            ", ".join(token.roles),
            ", ".join(token.namespaces),
            moment(token.created),
            ("expired " if token.expired(now) else "")
            + (moment(token.expires) if token.expires else "never"),
        )
        for token in tokens
    ]
    print_table(("name", "roles", "namespaces", "created", "expires"), rows)


async def _tokens(settings: "Settings") -> "tuple[list[ApiToken], bool]":
    """Return the tokens, and whether callers need one."""
    from heddle.cli.stores import opened
    from heddle.extensions.manage.system import SYSTEM
    from heddle.extensions.manage.tokens import guarded, tokens_of

    async with opened(settings) as store:
        values = await store.values(SYSTEM)
        return tokens_of(values), guarded(values)
