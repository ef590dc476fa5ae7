"""Adapters that run other denoisers on one mono clip; each needs its package installed."""
