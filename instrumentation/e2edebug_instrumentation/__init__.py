"""What produces spans and carries the correlation id, through the OpenTelemetry API only."""
