"""The Django app: `INSTALLED_APPS += ["e2edebug.django"]`. Models over the store, middleware, commands, checks."""
