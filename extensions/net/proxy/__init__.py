"""Passing on: requests to one of several backends, and their responses back."""
