"""Which properties of the pinned SDKs can say where data is, and what becomes of each."""
