"""The boundary once more, where it still holds when somebody deploys without the gate.

The cloud's own policies for one boundary, from the tables the rules judge by.
"""
