"""Spec files: how YAML and JSON text is read, located, edited, and formatted."""
