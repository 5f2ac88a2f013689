"""Work that is done elsewhere or later: tasks, jobs, threads. It belongs to the workflow that ordered it."""
