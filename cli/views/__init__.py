"""Views: what commands show to people and to programs."""
