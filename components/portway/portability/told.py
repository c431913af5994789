"""What a failed operation of the engine says, and what is known of it, in one sentence or two."""

from typing import Final

from portway.engine.failures import failures_of
from portway.engine.stack import Outcome
from portway.sayings import explain

_AGAIN: Final = "`portway migrate` again, or with --resume where it was not rolled back"


def what_failed(stack: str, outcome: Outcome) -> str:
    """What the engine said, or why it was stopped; then what it means and what to do, where known."""
    said = "; ".join(outcome.errors) or outcome.out_of_time or "the engine did not say why"
    known = " ".join(map(str, explain(failures_of(outcome.events), stack, _AGAIN)))
    return f"{said.removesuffix('.')}. In other words: {known}" if known else said
