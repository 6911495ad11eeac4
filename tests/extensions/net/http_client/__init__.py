"""Stories of calls to others, over real sockets."""
