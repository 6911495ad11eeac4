"""Stories of static files."""
