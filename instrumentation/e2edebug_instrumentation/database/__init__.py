"""One span for each query: of Django's connections, of SQLAlchemy's engines, and of drivers that are used directly."""
