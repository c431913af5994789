"""Where the sandbox keeps its things: one folder beside the project, ignored by git."""

import os
from dataclasses import dataclass
from pathlib import Path

from portway.errors import Missing

VARIABLE = "PORTWAY_SANDBOX"


@dataclass(frozen=True)
class Layout:
    """The sandbox of one checkout.

    Attributes:
        root: ``<project>/.portway``.
    """

    root: Path

    @classmethod
    def of_project(cls, project: Path) -> "Layout":
        """The sandbox that belongs to the project folder ``project``."""
        return cls(project.resolve() / ".portway")

    @classmethod
    def from_environment(cls) -> "Layout":
        """The sandbox that started this process (a stand-in plugin or a child of the daemon).

        Raises:
            Missing: the variable is not set, so this process was not started by a sandbox.
        """
        root = os.environ.get(VARIABLE)
        if not root:
            message = (
                f"{VARIABLE} is not set; run `portway sandbox start` and use `portway sandbox env`"
            )
            raise Missing(message)
        return cls(Path(root))

    @property
    def home(self) -> Path:
        """The private PULUMI_HOME: stand-in plugins live under its ``plugins/``."""
        return self.root / "home"

    @property
    def state(self) -> Path:
        """The file backend."""
        return self.root / "state"

    @property
    def bin(self) -> Path:
        """Executables put first on PATH: the engine's language host."""
        return self.root / "bin"

    @property
    def store(self) -> Path:
        """The SQLite file that is the clouds' memory."""
        return self.root / "cloud.db"

    @property
    def records(self) -> Path:
        """The SQLite file of what applications keep in the clouds' databases."""
        return self.root / "records.db"

    @property
    def disks(self) -> Path:
        """Folders that stand for volumes which outlive their pods."""
        return self.root / "disks"

    @property
    def run(self) -> Path:
        """Process ids and instance folders of the running data plane."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def faults(self) -> Path:
        """Faults to inject, when the file exists."""
        return self.root / "faults.yaml"

    @property
    def rehearsed(self) -> Path:
        """What `portway sandbox fault` set, one file of faults each."""
        return self.root / "faults.d"

    def create(self) -> None:
        """Make the folders that are missing, readable by their owner only."""
        for folder in (self.root, self.home, self.state, self.bin, self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
