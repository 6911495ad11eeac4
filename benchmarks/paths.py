"""Where things stand in the repository."""

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
EXAMPLES: Final = ROOT / "examples"
RESULTS: Final = HERE / "results"
