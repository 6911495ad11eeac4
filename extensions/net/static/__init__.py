"""Static files: which of them is asked for, which part of it, and whether it is known already."""
