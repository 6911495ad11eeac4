"""The rules for what is well formed: one declaration a kind gives checks, defaults, editor help and the docs."""
