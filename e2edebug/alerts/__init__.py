"""Thresholds that people trust: stored metrics become alerts, alerts become messages."""
