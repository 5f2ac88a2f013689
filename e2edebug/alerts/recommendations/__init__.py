"""What to do about an alert, from what the store knows of the requests behind it: one rule per file."""
