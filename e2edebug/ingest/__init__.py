"""Telemetry that others send: OTLP over HTTP becomes the same spans as our own, or a clear refusal."""
