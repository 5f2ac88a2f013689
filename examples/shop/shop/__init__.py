"""The shop's Django project: settings, entry points, tasks, fault switches."""
