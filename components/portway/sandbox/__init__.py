"""Embedded clouds on loopback: for trying, testing and CI. It knows only what was deployed."""
