"""The commands, one a file; each module has it as `command`."""
