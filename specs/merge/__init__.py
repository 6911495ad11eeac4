"""Comparison and three-way merge of Specs by node and port."""
