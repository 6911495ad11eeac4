"""The folder store: Specs and Values in YAML files."""
