"""Rows on disk, for as long as the store takes none."""
