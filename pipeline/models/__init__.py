"""Protocols that rooms see, and the adapters behind them."""
