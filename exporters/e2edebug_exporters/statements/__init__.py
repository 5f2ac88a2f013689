"""The SQL that writes: one protocol, one module a dialect."""
