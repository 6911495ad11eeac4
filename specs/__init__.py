"""The text that people write: Specs and Values, the documents that hold them, and the stores that keep them."""
