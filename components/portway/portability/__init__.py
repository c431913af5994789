"""One spec, two placements: what a move changes."""
