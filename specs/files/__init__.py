"""Files: how they are watched and read, whatever changes below their paths."""
