"""Runs of workflows at the command line: their targets, their RunStores, and a session that works on one."""
