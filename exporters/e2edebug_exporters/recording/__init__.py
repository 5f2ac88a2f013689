"""Spans of the process that hosts us: recorded as the SDK records them, at a fraction of its cost."""
