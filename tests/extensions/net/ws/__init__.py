"""Stories of WebSockets, told with a real client over real sockets."""
