"""Workers: the processes that run a namespace together, and the supervisor that keeps them running."""
