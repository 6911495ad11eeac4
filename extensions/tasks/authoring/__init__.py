"""Workflows in Python: decorators, tracing and operators that build the same Specs as YAML."""
