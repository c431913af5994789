"""Which places are inside which boundary, and where a Bedrock call may go.

``portway.residency.boundary`` and ``portway.residency.profiles`` are the two readers.
"""
