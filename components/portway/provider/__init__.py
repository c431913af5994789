"""The components for programs in any language: a Pulumi provider that hosts them.

``schema`` is the package's schema, made from the spec's own models; ``host`` answers the engine.
"""
