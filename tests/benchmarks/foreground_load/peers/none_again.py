"""The base a second time: what differs from the first is noise."""

from benchmarks.foreground_load.peers.none import provider as provider

TITLE = "No exporter, again (the control)"
WHO = "base"
