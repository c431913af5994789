"""One folder per target. Nothing here imports a target: the registry names them."""
