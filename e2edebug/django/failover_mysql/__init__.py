"""Django's database backend for a store with several hosts. Used by the alias that e2edebug registers."""
