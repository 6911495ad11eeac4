"""What a person types: commands, settings, and what they print."""
