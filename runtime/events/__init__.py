"""Events: what happened in a runtime, and why."""
