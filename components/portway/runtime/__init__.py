"""The small process in front of every model: one OpenAI contract on every target.

Deployed code, not deploying code: it uses the standard library and nothing else, imports nothing
else of this project, and is shipped as one zip by `portway.bundle`.
"""
