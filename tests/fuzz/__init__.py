"""Every reader returns, or raises its own error, whatever it is given.

Each test mutates real texts, one rule for each reader. `HEDDLE_FUZZ` is the number of examples for
each of them: 150 (30 for each kind) if it is not set, always the same ones, which takes a minute or two. For a long
campaign, with new examples each time:

    HEDDLE_FUZZ=20000 pytest tests/fuzz -n auto --timeout 0
"""
