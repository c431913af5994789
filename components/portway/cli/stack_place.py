"""Where a stack's state is, for the verbs that look before they act: the sandbox, a backend, a login."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from portway.engine.evidence import Evidence, remembered
from portway.spec.project import PROJECT_FILE

if TYPE_CHECKING:
    from portway.engine.state import State
    from portway.sandbox.layout import Layout

BACKEND: Final = "PULUMI_BACKEND_URL"
_BACKUPS: Final = "recover-backups"


@dataclass(frozen=True)
class StackPlace:
    """Where a stack's state is, and the clouds that can be read with it.

    Attributes:
        clouds: the sandbox; None where the clouds are real and not read.
    """

    state: "State"
    backups: Path
    clouds: "Layout | None"
    said: str

    def look(self) -> tuple[dict[str, Any], Evidence]:
        """The state's document, and everything that was seen."""
        document, locks = self.state.read(), self.state.locks()
        state = cast("dict[str, Any]", document["deployment"] or {})
        deployment = remembered(state, self.state.journal(self.backups))
        if self.clouds is None:
            return document, Evidence(deployment, locks)
        from portway.sandbox.unfinished import in_the_clouds  # noqa: PLC0415 - only the sandbox

        found, orphans = in_the_clouds(self.clouds, self.state.stack, deployment)
        if any(lock.alive for lock in locks):
            orphans = []  # what works on the stack has just made them
        return document, Evidence(deployment, locks, found, orphans)


def place_of(
    project: Path, stack: str, backend: str | None = None, *, unless_told: str = ""
) -> StackPlace:
    """Where the state of ``stack`` is: ``backend``, else the variable, else as ``unless_told``.

    Args:
        project: the project's folder.
        stack: its name.
        backend: a URL as ``pulumi login`` takes it.
        unless_told: ``sandbox``: the project's sandbox where there is one. "": pulumi's own login.

    Raises:
        Missing: there is no engine.
        BadInput: the project cannot be read.
    """
    from portway.engine.find import find_engine  # noqa: PLC0415 - needs Pulumi
    from portway.engine.state import State  # noqa: PLC0415 - as above
    from portway.sandbox import control  # noqa: PLC0415 - as above
    from portway.sandbox.layout import Layout  # noqa: PLC0415 - as above
    from portway.spec.document import read_document  # noqa: PLC0415 - only once a stack is named

    name = str(read_document(project / PROJECT_FILE).data.get("name", ""))
    layout = Layout.of_project(project)
    url = backend or os.environ.get(BACKEND, "")
    sandbox = f"file://{layout.state}"
    if not url and unless_told == "sandbox":
        url = sandbox if layout.store.is_file() else ""
    if url == sandbox and layout.store.is_file():
        environment = control.environment(project)
        state = State(find_engine(), environment, layout.root / "mirror", name, stack)
        return StackPlace(state, layout.root / _BACKUPS, layout, f"in the sandbox {layout.root}")
    environment = {**os.environ, **({BACKEND: url} if url else {})}
    state = State(find_engine(), environment, project, name, stack)
    folder = state.file_backend or layout.root
    return StackPlace(
        state, folder / _BACKUPS, None, f"in {state.backend}; its clouds are not read"
    )
