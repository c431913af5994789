"""Where migrations are kept, so that the next person finds them.

``<project>/.portway/migrations/<service>.<environment>/0001.<source>-to-<destination>.jsonl``, numbered in
the order in which they began; the newest is the one that matters. The lease is where everybody who can
change the stacks sees it: in the folder of a file backend, else beside the journals.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from portway.errors import BadInput, Missing, Problem
from portway.portability.journal import FileStorage, Journal
from portway.portability.migration import Outcome, Story, fold
from portway.portability.move import Move

_NUMBER = re.compile(r"^(\d{4})\.[a-z0-9-]+-to-[a-z0-9-]+\.jsonl$")
_LEASES = ".portway-leases"


@dataclass(frozen=True)
class Kept:
    """The migrations of one service in one environment."""

    folder: Path

    @classmethod
    def of(cls, project: Path, service: str, environment: str) -> "Kept":
        """Those of a project."""
        root = project.resolve() / ".portway" / "migrations"
        return cls(root / f"{service}.{environment}")

    @property
    def files(self) -> tuple[Path, ...]:
        """Every journal, the newest last."""
        found = self.folder.glob("*.jsonl") if self.folder.is_dir() else ()
        return tuple(sorted(file for file in found if _NUMBER.match(file.name)))

    def newest(self) -> Journal | None:
        """The newest journal that was begun; None where there is none.

        Raises:
            Damaged: it is damaged, cut short, or of another version.
            Missing: it cannot be read.
        """
        for file in reversed(self.files):
            try:
                journal = Journal(FileStorage(file))
            except OSError as error:
                raise Missing(f"{file} cannot be read: {error.strerror or error}") from error
            if journal.records:
                return journal
        return None

    def make(self, move: Move) -> Journal:
        """A new journal; holding the lease, nobody else makes the same.

        Raises:
            Missing: it cannot be made.
        """
        number = 1 + max((int(file.name[:4]) for file in self.files), default=0)
        ends = (stack.rpartition(".")[2] for stack in (move.source, move.destination))
        file = self.folder / f"{number:04}.{'-to-'.join(ends)}.jsonl"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise Missing(
                f"{file}: the journal cannot be made: {error.strerror or error}; nothing was done"
            ) from error
        return Journal(FileStorage(file))


def lease_folder(kept: Kept, backend_url: str, project: str) -> Path:
    """Where the lease of the service is.

    Args:
        kept: its migrations.
        backend_url: of the state, as ``pulumi login`` takes it; "" where pulumi's own login says.
        project: the Pulumi project's name.
    """
    url = urlparse(backend_url)
    if url.scheme != "file":
        return kept.folder
    folder = Path(unquote(f"{url.netloc}{url.path}")).expanduser()
    return folder / _LEASES / project / kept.folder.name


def open_of(journal: Journal | None) -> Story | None:
    """The story of a migration that has not ended; None where there is none."""
    if journal is None:
        return None
    story = fold(journal.records)
    return story if story.outcome is None else None


def refuse_another(journal: Journal | None, move: Move) -> None:
    """Begin only where nothing is unfinished.

    Raises:
        BadInput: an earlier migration of the service has not ended.
    """
    story = open_of(journal)
    if story is None or journal is None:
        return
    words = f"portway migrate {story.move.source} {story.move.destination}"
    message = (
        f"an earlier migration of {move.service}.{move.environment} has not ended ({journal.name}); go on "
        f"with `{words} --resume`, or undo it with `{words} --rollback`"
    )
    raise BadInput([Problem("", message)])


def same_move(journal: Journal | None, source: str, destination: str) -> Journal:
    """The journal, when it is of the move that was named.

    Raises:
        BadInput: it is of another, or there is none.
    """
    words = f"{source} to {destination}"
    if journal is None:
        raise BadInput([Problem("", f"there is no migration from {words}")])
    move = fold(journal.records).move
    if (move.source, move.destination) != (source, destination):
        message = (
            f"the newest migration of {move.service}.{move.environment} is from {move.source} to "
            f"{move.destination}, not from {words}; name those ({journal.name})"
        )
        raise BadInput([Problem("", message)])
    return journal


def may_resume(journal: Journal, *, changes_end: bool) -> None:
    """Raises: BadInput: the migration has ended, and nothing of its end is to change."""
    story = fold(journal.records)
    if story.outcome is None or (story.outcome is Outcome.MOVED and changes_end):
        return
    text = f"the migration has {'ended: ' if story.outcome is not Outcome.MOVED else ''}{story.outcome}"
    raise BadInput(
        [Problem("--resume", f"{text}; there is nothing to go on with ({journal.name})")]
    )
