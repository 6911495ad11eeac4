"""The family registers its languages through the door that strangers use."""

import subprocess
import sys

from heddle.extensions.languages import LANGUAGES, register
from heddle.runtime.language import Language, Languages


class Door:
    """Takes languages in for one owner, as the runtime's extension does."""

    def __init__(self) -> None:
        self.languages = Languages()

    def language(self, language: Language) -> None:
        self.languages.add(language, "languages")


def test_every_language_of_the_family_is_registered() -> None:
    door = Door()
    register(door)
    assert {"text", "json", "yaml", "cel", "python"} <= set(door.languages.known)
    assert len(door.languages.known) == len(LANGUAGES)


def test_registered_languages_compile() -> None:
    door = Door()
    register(door)
    codes = {"text": "3", "json": "3", "yaml": "3", "cel": "n + 1", "python": "payload['n'] + 1"}
    for name, code in codes.items():
        assert door.languages.get(name).compile(code)({"n": 2}) in (3, "3"), name
    condition = door.languages.get("cel").condition
    assert condition is not None
    assert condition("n > 1")({"n": 2}) is True


def test_importing_the_family_loads_no_machinery() -> None:
    code = (
        "import sys, heddle.extensions.languages\n"
        "heavy = {'ruamel.yaml', 'heddle.extensions.languages.cel.compiler', 'zoneinfo'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
