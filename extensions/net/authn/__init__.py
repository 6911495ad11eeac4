"""Who sends a request: passwords, tokens and signed tokens, checked in constant time."""
