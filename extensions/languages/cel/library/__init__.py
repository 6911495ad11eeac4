"""The functions that CEL text may call: adding a library adds a file and its name here."""

from typing import Final

from heddle.extensions.languages.cel.library import conversions, standard
from heddle.extensions.languages.cel.library.function import Library

LIBRARY: Final = Library((*standard.FUNCTIONS, *conversions.FUNCTIONS))
"""Every function there is."""
