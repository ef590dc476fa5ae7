"""Shipped models, their cards, and the recording of the demo."""
