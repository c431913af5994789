"""The Kubernetes of the sandbox: one API, served from the store or by a real API server."""
