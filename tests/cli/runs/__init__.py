"""Tests of runs at the command line."""
