"""RunStores keep runs: what makes a run durable, how it is resumed, and what people ask about it."""
