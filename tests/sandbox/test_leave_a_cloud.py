"""A cloud is left whole: with a door in a cluster, nothing of the service stays where it was."""

from pathlib import Path

import pytest

from portway.portability.clients import asking
from support.real_moves import (
    DOOR,
    LONGEST_SECONDS,
    MODEL,
    SOURCE,
    THIRD,
    living_service,
    migrate,
    no_client_noticed,
    no_orphan_and_nothing_twice,
)

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.xdist_group("migrate"),
    pytest.mark.long,
    pytest.mark.timeout(LONGEST_SECONDS),
]

CLIENTS = 8
DOOR_FILE = f"""config:
  portway:spec: specs/chat.yaml
  portway:door:
    kind: kubernetes
    region: europe-west4
    cluster: prod-eu
    weights: {{{SOURCE}: 100}}
    options: {{networks: [10.20.0.0/24]}}
"""


def test_nothing_is_left_at_google_and_no_client_notices(tmp_path: Path) -> None:
    with living_service(tmp_path / "project", door=DOOR_FILE) as project:
        door = project.outputs(DOOR)
        assert project.store.all(cloud="gcp")
        with asking(door["endpoint"], door["apiKey"], MODEL, CLIENTS) as counts:
            done = migrate(project, SOURCE, THIRD, "--yes", "--retire-source")
            assert done.returncode == 0, done.stdout + done.stderr + str(counts)
        no_client_noticed(counts, at_least=CLIENTS)
        no_orphan_and_nothing_twice(project)
        assert project.store.all(cloud="gcp") == []
        assert project.outputs(DOOR)["endpoint"] == door["endpoint"]
