"""Django's migrations of the store. Each executes one revision of e2edebug_schema and describes the models after it.

For a new revision with a new table: write the model, then `make django-migration NAME=what_is_new`, which writes the
file with both.
"""
