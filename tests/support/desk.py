"""A project on disk whose stacks run on the paper target."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from portway import registry
from portway.pricing import freshness
from support import paper_target

SPEC = """\
name: chat
model: ministral-3-8b
scaling: {min: 1, max: 2, concurrency: 8}
residency: eu
budget: {monthly_usd: 2500}
"""
STACK = """\
config:
  portway:spec: specs/chat.yaml
  portway:placement: {target: paper, region: europe-paper1}
"""
STACK_NAME = "chat.prod.paper"
SPEC_FILE = "stacks/specs/chat.yaml"
STACK_FILE = f"stacks/Pulumi.{STACK_NAME}.yaml"


def register_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper target beside the others, as long as the test lasts."""
    monkeypatch.setattr(
        registry,
        "_TARGETS",
        {**registry._TARGETS, paper_target.NAME: "support.paper_target"},  # pyright: ignore[reportPrivateUsage]
    )


class Desk:
    """A project folder; the working directory is inside it, the paper target is registered."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.write({"Pulumi.yaml": "name: desk\nruntime: python\nstackConfigDir: stacks\n"})
        monkeypatch.chdir(folder)
        self.day(monkeypatch, date(2026, 8, 2))
        register_paper(monkeypatch)

    @staticmethod
    def day(monkeypatch: pytest.MonkeyPatch, today: date) -> None:
        """Count the ages of rates as of ``today``; the paper target's were read on 2026-08-01."""
        monkeypatch.setattr(freshness, "utc_today", lambda: today)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def stack(self, spec: str | bytes = SPEC, stack: str | bytes = STACK) -> None:
        self.write({SPEC_FILE: spec, STACK_FILE: stack})

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def files(self) -> list[str]:
        found = (path for path in (self.folder / "stacks").rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)
