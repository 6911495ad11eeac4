"""The assembly of Specs into Symbols, tables and generations."""
