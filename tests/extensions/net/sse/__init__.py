"""Stories of server-sent events."""
