"""Stories of requests that are passed on."""
