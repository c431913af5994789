"""Figures that are often quoted, recomputed."""
