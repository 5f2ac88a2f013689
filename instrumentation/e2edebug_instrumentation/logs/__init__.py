"""What the application logs and what it lets fall: events on steps, and errors. Log files stay as they are."""
