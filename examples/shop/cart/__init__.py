"""Shopping carts of known and anonymous visitors."""
