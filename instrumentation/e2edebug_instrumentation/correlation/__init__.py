"""The correlation id on its way: in from headers and baggage, through the context, out to services and browsers."""
