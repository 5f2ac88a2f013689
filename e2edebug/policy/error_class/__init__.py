"""What kind of error an error is, and what to do about it: one file for each class, `registry` asks them in order."""
