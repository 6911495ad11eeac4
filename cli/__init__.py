"""The command line: commands, settings, and what they print."""
