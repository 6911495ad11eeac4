"""The languages for snippets and conditions."""

from typing import Final

from heddle.extensions.extension import Extension
from heddle.extensions.languages import cel, constants, javascript, jinja, jsonata, python

__all__ = ["LANGUAGES", "register"]

LANGUAGES: Final = (
    constants.TEXT,
    constants.JSON,
    constants.YAML,
    cel.LANGUAGE,
    javascript.JAVASCRIPT,
    javascript.TYPESCRIPT,
    jinja.LANGUAGE,
    jsonata.LANGUAGE,
    python.LANGUAGE,
)


def register(extension: Extension) -> None:
    """Add every language of this family."""
    for language in LANGUAGES:
        extension.language(language)
