"""What becomes of old rows: days are dropped, batches deleted, snapshots merged into hours. `apply.py` runs it all."""
