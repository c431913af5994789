"""Evidence: where every hop of a prompt through a stack is, and why we say so.

``events`` reads the stack off the engine's own events, ``hops`` and ``models`` say where it leads,
``document`` writes that down, and ``verify`` judges such a document again, without any of them.
"""
