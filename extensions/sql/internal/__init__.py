"""SQL over the running runtime: `driver: internal`."""
