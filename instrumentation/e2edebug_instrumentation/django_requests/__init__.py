"""Django requests become server spans, under WSGI and ASGI, from the first middleware to the last byte of the body."""
