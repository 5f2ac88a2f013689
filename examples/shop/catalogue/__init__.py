"""Categories, products, reviews and search."""
