"""Which workflow broke, at which step, in which layer, and why."""
