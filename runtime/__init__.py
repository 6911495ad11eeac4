"""The engine that runs: packets between nodes, and the loader that keeps them as the store says."""
