"""Stand-in resource plugins: the clouds as the Pulumi engine sees them.

One process per provider resource, started by the engine through a launcher (``portway.sandbox.plugins``).
``server`` speaks the engine's protocol for every package; a ``cloud.Cloud`` decides what its cloud would.
"""
