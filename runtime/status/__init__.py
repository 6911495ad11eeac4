"""The state of a runtime and of a namespace, as people see it."""
