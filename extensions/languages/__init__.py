"""The languages for snippets and conditions."""

from typing import Final, Protocol

from heddle.extensions.languages import cel, constants, python
from heddle.runtime.language import Language

__all__ = ["LANGUAGES", "Extension", "register"]

LANGUAGES: Final = (
    constants.TEXT,
    constants.JSON,
    constants.YAML,
    cel.LANGUAGE,
    python.LANGUAGE,
)


class Extension(Protocol):
    """The part of an extension's door that languages come in by."""

    def language(self, language: Language, /) -> object:
        """Add one language."""
        ...


def register(extension: Extension) -> None:
    """Add every language of this family."""
    for language in LANGUAGES:
        extension.language(language)
