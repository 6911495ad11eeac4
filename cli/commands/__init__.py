"""The commands, one a file; each module has it as `command`. `runs_*` hold those below `heddle runs`."""
