"""What a cloud's words mean for a service of ours, and what to do: said beside them, never instead.

Each target knows the words of its own cloud: ``SAYINGS`` in the module ``sayings`` of its folder.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from portway.registry import load_target, registered
from portway.saying import Saying

UP_AGAIN: Final = "`portway up {stack}` again: it goes on where this one stopped"
"""The engine keeps what was made."""


@dataclass(frozen=True)
class Explained:
    """One failure in our words.

    Attributes:
        where: the resource, as its cloud's provider calls it; "" where none is known.
        means: what was asked for and why it cannot be.
        do: what to do about it.
    """

    where: str
    means: str
    do: str

    def __str__(self) -> str:
        """One sentence for a terminal."""
        return f"{self.where}{': ' if self.where else ''}{self.means}. What to do: {self.do}."


def explain(
    failures: Iterable[tuple[str, str]], stack: str, again: str = UP_AGAIN
) -> tuple[Explained, ...]:
    """What is known about ``failures``: pairs of where and what the cloud said. Each thing once.

    ``again`` is what is done when the cause is mended; it may name ``{stack}``.
    """
    known = tuple(_sayings())
    found: dict[tuple[str, str], Explained] = {}
    for where, text in failures:
        for saying in known:
            match = saying.words.search(text)
            if match is not None:
                groups = {name: value or "" for name, value in match.groupdict().items()}
                values = {**groups, "stack": stack, "again": again.format(stack=stack)}
                means, do = saying.means.format_map(values), saying.do.format_map(values)
                found.setdefault((means, do), Explained(where, means, do))
                break
    return tuple(found.values())


FOR_OPERATORS: Final[Mapping[str, str]] = {
    "permission_denied": "the account or its role may not use the model: grant it where models are "
    "given out; `detail` in the service's log has the cloud's words",
    "rate_limit_exceeded": "more was asked than may be served at once: raise scaling.max, or ask the "
    "vendor of the model for more where `detail` in the service's log says that it throttles",
    "internal_error": "the service itself fails, often by its credentials or settings: `detail` in "
    "its log says by what",
    "keys_unavailable": "the keys of clients cannot be read: look at the secret and who may read it",
    "meter_unavailable": "the store of the meter does not answer: look at it and who may write it",
    "upstream_unavailable": "the model's server cannot be reached: look at its own log",
    "upstream_error": "the model's server fails: look at its own log",
}
"""What whoever runs a service does about a class of error that clients cannot mend."""


def for_operators(classes: Iterable[str]) -> tuple[str, ...]:
    """What to do about these classes of errors, each led by its class; most are for clients alone."""
    return tuple(f"{name}: {FOR_OPERATORS[name]}" for name in classes if name in FOR_OPERATORS)


def _sayings() -> Iterator[Saying]:
    for name in registered():
        room = load_target(name).component.partition(":")[0].rpartition(".")[0]
        if find_spec(f"{room}.sayings") is not None:
            yield from import_module(f"{room}.sayings").SAYINGS
