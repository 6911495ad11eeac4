"""The vocabulary of what people write: Specs, Values, Links, and the changes made to them."""
