"""Change sets: planned, checked, applied, rolled back."""
