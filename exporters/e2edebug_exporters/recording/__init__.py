"""Spans of the process that hosts us: recorded as the SDK records them, at a fraction of its cost.

Measured on 2026-11-23, two shared cores, Python 3.11, SDK 1.45.2, minima of the caller's thread: starting a span with
13 attributes takes 3.3 us with our processor behind it, 14 us with the SDK's and none. A Django request with five ORM
queries on SQLite costs 0.45 ms more than without tracing, connecting, code locations and metrics included, and a writing
thread beside it; OpenTelemetry's Django and DB-API instrumentation with an exporter that does nothing 0.67 ms more.
Of the 0.45 ms, 0.19 are the server span (0.05 in a tight loop, where the processor's caches are warm).
"""
