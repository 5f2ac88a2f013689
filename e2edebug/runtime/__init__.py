"""The one place where capture meets storage: providers, pipeline and instrumentors are put together here."""
