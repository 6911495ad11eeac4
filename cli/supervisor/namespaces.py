"""Several workers, and several namespaces: what the settings say of them, and the supervisor that runs them."""

from collections.abc import Sequence

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings import Settings
from heddle.cli.stores import check_path
from heddle.cli.supervisor.supervisor import Supervisor
from heddle.cli.supervisor.worker_group import cores
from heddle.schemas.suggestion import did_you_mean


def run_several(every: Sequence[Settings], common: Settings, code: Sequence[str] = ()) -> None:
    """Run these namespaces until a signal comes; raise CommandError if one cannot begin.

    A Python file that is saved in one of the folders `code` replaces their workers.
    """
    for settings in every:
        if settings.store.startswith("memory:"):
            raise CommandError(
                f"{settings.store}: each process has a memory of its own (expected: a folder, a file or "
                "the address of a store)"
            )
        check_path(settings.store)
    Supervisor(
        [(settings, settings.workers or cores()) for settings in every],
        form=common.log_format,
        level=common.log_level,
        health=common.health,
        address=common.health_address,
        lag=common.lag,
        code=code,
    ).run()


def namespaces_of(settings: Settings, names: Sequence[str] = ()) -> list[Settings]:
    """Return the settings of each namespace that is listed, or of those of these names; in the order of the file.

    CommandError if none is listed, or one is not there.
    """
    listed = settings.namespaces
    where = settings.file or "heddle.toml"
    if not listed:
        raise CommandError(
            f"{where}: no namespaces are listed (expected: a table such as [namespaces.shop] with a store)"
        )
    for name in names:
        if name not in listed:
            near = did_you_mean(name, list(listed))
            known = ", ".join(listed)
            raise CommandError(
                f'{where}: there is no namespace "{name}" (it lists: {known}). {near}'.rstrip(". ")
            )
    return [_of(settings, name) for name in listed if not names or name in names]


def _of(settings: Settings, name: str) -> Settings:
    own = dict(settings.namespaces[name])
    own["environment"] = {**settings.environment, **own.get("environment", {})}
    own["extensions"] = tuple(dict.fromkeys((*settings.extensions, *own.get("extensions", ()))))
    given = settings.given or "store" in own
    return msgspec.structs.replace(settings, **own, namespace=name, given=given, namespaces={})
