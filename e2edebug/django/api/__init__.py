"""The REST API below `/api/v1/debugging/`: reading what was recorded, recording over HTTP, and deciding about errors."""
