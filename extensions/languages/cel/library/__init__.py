"""The functions that CEL text may call: adding a library adds a file and its name here."""

from typing import Final

from heddle.extensions.languages.cel.library import (
    conversions,
    digests,
    encoders,
    impure,
    lists,
    mathematics,
    network,
    optional,
    sets,
    standard,
    strings,
    texts,
)
from heddle.extensions.languages.cel.library.function import Library

LIBRARY: Final = Library(
    (
        *standard.FUNCTIONS,
        *conversions.FUNCTIONS,
        *strings.FUNCTIONS,
        *mathematics.FUNCTIONS,
        *lists.FUNCTIONS,
        *sets.FUNCTIONS,
        *encoders.FUNCTIONS,
        *texts.FUNCTIONS,
        *digests.FUNCTIONS,
        *impure.FUNCTIONS,
        *optional.FUNCTIONS,
        *network.FUNCTIONS,
    )
)
"""Every function there is."""
