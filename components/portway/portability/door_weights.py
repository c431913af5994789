"""Whether an update of a door would undo what a migration did to its weights. Pure."""

from collections.abc import Mapping

from portway.portability.migration import Outcome, Story

Weights = Mapping[str, int]


def would_undo(story: Story | None, written: Weights, deployed: Weights) -> str:
    """Why a door must not be brought up by what is ``written``; "" where it may.

    Weights that somebody changed since, by an update of their own, are nobody's to keep.

    Args:
        story: of the newest migration of the service; None where there is none.
        written: the weights in the configuration that the engine reads.
        deployed: the weights by which requests go now.
    """
    if story is None or sent(written) == sent(deployed):
        return ""
    move = story.move
    migration = f"the migration from {move.source} to {move.destination}"
    if story.outcome is None:
        if not story.moved_traffic:
            return ""
        why = f"{migration} has not ended; --resume or --rollback sets the weights"
    elif sent(deployed) == left_by(story):
        why = f"{migration} left it so"
    else:
        return ""
    return f"{move.door} sends {said(deployed)}, and {why}; its configuration says {said(written)}"


def left_by(story: Story) -> Weights:
    """What a migration that ended had the door do; nothing where it stopped before any change."""
    move = story.move
    if story.outcome is Outcome.MOVED:
        return sent(move.weights(100))
    return sent(move.weights(0)) if story.outcome is Outcome.ROLLED_BACK else {}


def sent(weights: Weights) -> dict[str, int]:
    """``weights`` without those that get nothing."""
    return {stack: percent for stack, percent in weights.items() if percent}


def said(weights: Weights) -> str:
    """In words."""
    shares = (f"{percent} % to {stack}" for stack, percent in sorted(sent(weights).items()))
    return ", ".join(shares) or "nothing"
