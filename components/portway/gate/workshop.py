"""Where a gate works: a closed sandbox of its own that is thrown away, and the packs it judges by."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from portway.engine.find import find_engine
from portway.engine.home import create_home
from portway.errors import Missing
from portway.gate.run import PACKS, Workshop
from portway.sandbox.layout import Layout
from portway.sandbox.plugins import install_foreign, install_plugins

POLICIES = "policies"


@contextmanager
def workshop() -> Generator[Workshop]:
    """A sandbox of the run's own, so that the gate neither sees nor touches anybody's state.

    Raises:
        Missing: there is no engine yet.
    """
    engine = find_engine()
    with TemporaryDirectory(prefix="portway-gate-", ignore_cleanup_errors=True) as folder:
        layout = Layout(Path(folder).resolve())
        layout.create()
        create_home(layout.home, engine)
        install_plugins(layout.home, Path(sys.executable))
        install_foreign(layout.home, Path(sys.executable))
        yield Workshop(engine, layout)


def policies_folder(project: Path | None) -> Path:
    """The nearest ``policies/`` from ``project`` upward; else that of the checkout this is from.

    Raises:
        Missing: there is neither.
    """
    places = [] if project is None else [project, *project.parents]
    candidates = [place / POLICIES for place in (*places, Path(__file__).resolve().parents[3])]
    for folder in candidates:
        if (folder / "residency").is_dir() and (folder / "cost").is_dir():
            return folder
    raise Missing(f"no policy packs in {candidates[0]}; restore policies/ from version control")


def config_files(places: Sequence[Path]) -> dict[str, Path]:
    """By pack, the nearest ``policies/<pack>.json`` from the first of ``places`` upward that has one.

    So a repository that holds no pack can hold its own configuration of ours.
    """
    found: dict[str, Path] = {}
    for place in places:
        for folder in (place, *place.parents):
            for pack in PACKS:
                file = folder / POLICIES / f"{pack}.json"
                if pack not in found and file.is_file():
                    found[pack] = file
    return found
