"""Stories of senders who are known, and of those who are not."""
