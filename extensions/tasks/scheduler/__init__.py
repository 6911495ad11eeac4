"""The scheduler: it begins each task of a run when its inputs are there."""
