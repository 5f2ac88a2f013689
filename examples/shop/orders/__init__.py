"""Checkout, orders and the call to the payment provider."""
