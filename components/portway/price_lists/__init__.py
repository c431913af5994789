"""Newer rates from the price lists that vendors publish for programs."""
