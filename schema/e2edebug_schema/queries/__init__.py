"""Every query that reads the store. Each takes an engine or a connection and returns frozen dataclasses.

Times are aware and UTC, durations milliseconds. Lists are paged by key; nothing here scans spans to show a list.
"""
