"""Signatures: who sent a body, and that nobody changed it on its way."""
