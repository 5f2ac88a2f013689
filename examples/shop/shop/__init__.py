"""The shop's Django project: settings, entry points, fault switches."""
