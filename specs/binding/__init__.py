"""Binding: how a Spec gets the Values that its `env` asks for."""
