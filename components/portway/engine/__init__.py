"""Finding, building and driving the Pulumi engine."""
