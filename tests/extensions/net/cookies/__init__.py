"""Stories of cookies."""
