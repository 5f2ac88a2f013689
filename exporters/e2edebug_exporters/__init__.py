"""OpenTelemetry objects become rows, and rows reach the store."""
