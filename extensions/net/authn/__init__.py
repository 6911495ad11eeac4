"""The identity of a sender: passwords, tokens and signed tokens, checked in constant time."""
