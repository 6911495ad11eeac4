"""The graph of a workflow: references, dataflows, the compiler and what it makes."""
