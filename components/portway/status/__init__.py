"""How a deployed service does: what its state says, and the four signals through each store's own API."""
