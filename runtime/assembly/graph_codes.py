"""The codes of the Problems that `check_graph` gives. But for two they are warnings."""

from typing import Final

DEAD_NODE: Final = "dead-node"
NO_ANSWER: Final = "no-answer"
NEVER_MERGED: Final = "never-merged"
ERROR_LOOP: Final = "error-loop"
UNREACHED: Final = "unreached"
ENDLESS_CYCLE: Final = "endless-cycle"
"""An error: every packet that comes to such a cycle fails."""
LINK_TYPE: Final = "link-type"
"""An error: every packet that takes such a link fails."""

ANSWER_SHAPE: Final = "answer-shape"
"""A hint: answers may be read in another way than they are meant."""

GRAPH_CODES: Final = frozenset({DEAD_NODE, NO_ANSWER, NEVER_MERGED, ERROR_LOOP, UNREACHED})
