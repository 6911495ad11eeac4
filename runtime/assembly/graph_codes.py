"""The codes of the Problems that `check_graph` gives. They are warnings: none keeps a Spec from running."""

from typing import Final

DEAD_NODE: Final = "dead-node"
NO_ANSWER: Final = "no-answer"
NEVER_MERGED: Final = "never-merged"
ERROR_LOOP: Final = "error-loop"
UNREACHED: Final = "unreached"

GRAPH_CODES: Final = frozenset({DEAD_NODE, NO_ANSWER, NEVER_MERGED, ERROR_LOOP, UNREACHED})
