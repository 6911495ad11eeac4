"""Server-sent events: how they are written, and who is sent them."""
