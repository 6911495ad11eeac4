"""What someone wrote: Specs and Values, the documents that hold them, and the stores that keep them."""
