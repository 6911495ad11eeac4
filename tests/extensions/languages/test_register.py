"""The family registers its languages through the door that strangers use."""

import subprocess
import sys

from heddle.extensions.extension import Extension
from heddle.extensions.languages import LANGUAGES, register
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.language import Languages
from heddle.schemas.code import Code


def registered() -> Languages:
    registry = Registry()
    register(Extension("languages", registry))
    return registry.scheme.languages


def test_every_language_of_the_family_is_registered() -> None:
    known = registered().known
    assert set(known) == {
        *("text", "json", "yaml", "cel", "python"),
        *("javascript", "typescript", "jinja", "jsonata"),
    }
    assert len(known) == len(LANGUAGES)


def test_registered_languages_compile() -> None:
    languages = registered()
    codes = {
        "text": "3",
        "json": "3",
        "yaml": "3",
        "cel": "n + 1",
        "python": "payload['n'] + 1",
        "javascript": "payload.n + 1",
        "typescript": "(payload.n as number) + 1",
        "jinja": "{{ n + 1 }}",
        "jsonata": "n + 1",
    }
    assert set(codes) == set(languages.known)
    for name, code in codes.items():
        result = languages.get(name).compile(Code(code))({"n": 2})
        assert result in (3, "3"), name
        assert type(result) in (int, str), name
    condition = languages.get("cel").condition
    assert condition is not None
    assert condition("n > 1")({"n": 2}) is True


def test_importing_the_family_loads_no_machinery() -> None:
    code = (
        "import sys, heddle.extensions.languages\n"
        "heavy = {'ruamel.yaml', 'heddle.extensions.languages.cel.compiler', 'zoneinfo', "
        "'_quickjs', 'minijinja', 'heddle.extensions.languages.workers.program', "
        "'heddle.extensions.languages.javascript.realm'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
