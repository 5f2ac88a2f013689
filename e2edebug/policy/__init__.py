"""What every part obeys: settings, redaction, SQL text, correlation ids. Standard library only."""
