"""A Project is a folder to begin with: specs, tests, settings, and what an editor and a container need.

The specs are those of `examples/`, so there is one copy of them: `cli/templates/` links to it.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from heddle.cli.exit_codes import CommandError

ROOT: Final = Path(__file__).parent / "templates"

SCHEMA: Final = ".heddle.schema.json"
"""Hidden: a folder of specs takes any other JSON file for specs."""

_TEXTS = (".yaml", ".md")
_LEFT_OUT = ("__pycache__", ".heddle")
_LEFT_OUT_SUFFIXES = (".db", ".db-shm", ".db-wal", ".sqlite")


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A service that `heddle init` copies.

    `example` is its folder below `examples/`, `extras` what it needs beside the package,
    `environment` and `tests` are the blanks that it fills, to serve and to be tested, `secrets`
    those that are set outside.
    """

    summary: str
    example: str
    extras: tuple[str, ...] = ()
    environment: Mapping[str, Any] = {}
    tests: Mapping[str, Any] = {}
    secrets: tuple[str, ...] = ()
    start: str = "heddle start"


_ADDRESS: Final = {"HOST": "127.0.0.1", "PORT": 8000}

TEMPLATES: Final[Mapping[str, Template]] = {
    "api": Template(
        summary="A REST API over a table: checked requests, and its OpenAPI document.",
        example="rest-api",
        extras=("validation",),
        environment={**_ADDRESS, "DATABASE": "books.db"},
        tests={"PORT": 0, "DATABASE": ":memory:"},
    ),
    "webhook": Template(
        summary="A receiver of signed webhooks that works on each delivery once.",
        example="webhook",
        environment=_ADDRESS,
        tests={"PORT": 0, "SECRET": "only an example"},
        secrets=("SECRET",),
    ),
    "schedule": Template(
        summary="A report that is made every morning, or when somebody asks for it.",
        example="daily-report",
        extras=("cron",),
        environment={
            **_ADDRESS,
            "ZONE": "Europe/Berlin",
            "DATABASE": "shop.db",
            "REPORTS": "reports",
        },
        tests={"PORT": 0, "DATABASE": ":memory:"},
    ),
    "chat": Template(
        summary="A chat with rooms over WebSocket, and the page for it.",
        example="chat",
        extras=("websocket",),
        environment={**_ADDRESS, "DATABASE": "chat.db"},
        tests={"PORT": 0, "DATABASE": ":memory:"},
    ),
    "tasks": Template(
        summary="A workflow of Python functions whose runs survive a crash.",
        example="tasks/report",
        start="heddle run . day=2026-11-30",
    ),
}
"""Every template by its name, in the order in which they are listed."""


def project_files(name: str, folder: str) -> dict[str, str]:
    """Return every file of a project but its schema, by its path in there; `folder` is its name."""
    template = TEMPLATES[name]
    files = {path: _adapted(path, text, template, folder) for path, text in _copied(name)}
    files |= {
        "heddle.toml": _settings(template),
        "Dockerfile": _dockerfile(template),
        ".dockerignore": "".join(f"{each}\n" for each in _IGNORED),
        ".gitignore": "".join(f"{each}\n" for each in _IGNORED),
        ".vscode/settings.json": _json(
            {"yaml.schemas": {f"./{SCHEMA}": ["*.yaml"]}, "files.associations": {SCHEMA: "json"}}
        ),
        ".vscode/extensions.json": _json({"recommendations": ["redhat.vscode-yaml"]}),
    }
    return files


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file; CommandError if one is there already, and then nothing is written."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise CommandError(f"{folder} is a file (expected: a folder, or a name that is free)")
    present = _in_the_way(folder, files)
    if present:
        raise CommandError(
            f"{folder} holds {_listed(present)} already, and nothing was written "
            "(expected: a folder without them). Give another FOLDER"
        )
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # As it is packed: no line end is translated.
        target.write_bytes(text.encode())


def _in_the_way(folder: Path, files: Iterable[str]) -> list[str]:
    """Return what keeps files from being written: one of that name, a link to nowhere, a file for a folder."""
    taken: dict[str, None] = {}
    for path in files:
        target = folder / path
        above = [each for each in target.parents if each.is_relative_to(folder) and each != folder]
        files_above = [each for each in above if os.path.lexists(each) and not each.is_dir()]
        for each in files_above or [target]:
            if os.path.lexists(each):
                taken[each.relative_to(folder).as_posix()] = None
    return list(taken)


def _copied(name: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a template that belong to every project made of it."""
    root = ROOT / name
    if not root.is_dir():
        raise CommandError(f"{root}: the template is missing. Install Heddle again")
    for path in sorted(_below(root)):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _below(folder: Path) -> Iterator[Path]:
    # Not rglob: it does not follow the link that a checkout has here.
    for entry in folder.iterdir():
        if entry.name in _LEFT_OUT or entry.suffix in _LEFT_OUT_SUFFIXES:
            continue
        if entry.is_dir():
            yield from _below(entry)
        else:
            yield entry


def _adapted(path: str, text: str, template: Template, folder: str) -> str:
    """Return a file of an example as it stands in a project."""
    if path.endswith(".yaml"):
        line = f"# yaml-language-server: $schema={SCHEMA}\n"
        text = re.sub(r"\A# yaml-language-server: .*\n(?:#\n)?", "", text)
        text = line + "#\n" + text
    if not path.endswith(_TEXTS):
        return text
    example = re.escape(f"examples/{template.example}")
    # The settings of the project fill every blank of its tests.
    text = re.sub(rf"heddle test(?: {example}| -e \S+)+", "heddle test", text)
    # A name may hold what a replacement gives a meaning to.
    text = re.sub(rf"cd {example}\b", lambda _: f"cd {shell_word(folder)}", text)
    text = re.sub(rf"(heddle run) {example}\b", r"\1 .", text)
    return text + _AFTERWORD.format(start=template.start) if path == "README.md" else text


_AFTERWORD: Final = """
## This folder

| | |
|---|---|
| `*.yaml` | the specs: save a change while it runs, and the next request shows it |
| `tests.yaml` | what `heddle test` runs |
| `heddle.toml` | settings, and what `{{{{ .NAME }}}}` in a spec is filled with |
| `.heddle.schema.json`, `.vscode/` | completion and checks in the editor; after an upgrade: `heddle schema -o .heddle.schema.json` |
| `Dockerfile` | an image of the service |

```sh
heddle check . --watch
heddle test
{start}
docker build --tag service . && docker run --rm --publish 8000:8000 service
```
"""

_IGNORED: Final = (
    ".heddle/",
    "__pycache__/",
    "*.db",
    "*.db-shm",
    "*.db-wal",
    "*.sqlite*",
)


def _settings(template: Template) -> str:
    lines = [
        "# Settings of the commands that run in this folder. `heddle start -e NAME=VALUE` and variables",
        "# such as HEDDLE_ENVIRONMENT_PORT win over what stands here.",
        'store = "."',
    ]
    lines += _table(
        "environment", "What {{ .NAME }} in a spec is filled with.", template.environment
    )
    lines += [
        f"# {name}: a secret, so not in this file. Set HEDDLE_ENVIRONMENT_{name}."
        for name in template.secrets
    ]
    lines += _table("test.environment", "What differs while heddle test runs.", template.tests)
    return "\n".join(lines) + "\n"


def _table(name: str, comment: str, values: Mapping[str, Any]) -> list[str]:
    rows = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return ["", f"# {comment}", f"[{name}]", *rows] if rows else []


def _dockerfile(template: Template) -> str:
    from heddle import __version__

    extras = f"[{','.join(template.extras)}]" if template.extras else ""
    return f"""\
# docker build --tag service . && docker run --rm --publish 8000:8000 service
FROM python:3.13-slim
RUN pip install --no-cache-dir 'heddle-runtime{extras}=={__version__}'
RUN useradd --uid 10001 --create-home heddle
WORKDIR /app
RUN chown heddle /app
COPY --chown=heddle . .
USER heddle
ENV PYTHONUNBUFFERED=1 HEDDLE_LOG_FORMAT=json HEDDLE_ENVIRONMENT_HOST=0.0.0.0
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["heddle"]
CMD ["start"]
"""


def shell_word(name: str) -> str:
    """Return a name as people write it in a shell: quoted if it has to be, and U+FFFD for what is not text."""
    word = shlex.quote(name)
    return word.encode(errors="surrogateescape").decode(errors="replace")


def _json(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
