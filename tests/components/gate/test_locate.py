"""A violation is shown where it can be mended: the program's line, the stack file, the state."""

import json
from pathlib import Path

from portway.gate.record import Reported
from portway.gate.reports.locate import Locator, Place, locator_for
from portway.gate.run import StackReport


def report(tmp_path: Path, stack: str = "dev") -> StackReport:
    return StackReport(stack, None, (), tmp_path / "infra")


def about(name: str, kind: str = "gcp:storage/bucket:Bucket") -> Reported:
    return Reported(
        "residency", "residency", "r", "mandatory", f"urn:pulumi:dev::p::{kind}::{name}", "m"
    )


def project(tmp_path: Path, program: str = "", stack: str | None = None) -> Locator:
    folder = tmp_path / "infra"
    (folder / "stacks").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "__main__.py").write_text(program)
    if stack is not None:
        (folder / "stacks" / "Pulumi.dev.yaml").write_text(stack)
    return locator_for(folder)


PROGRAM = """\
import pulumi_gcp as gcp

gcp.storage.Bucket(
    "data", location="us-central1"
)
gcp.storage.Bucket(resource_name="logs")
gcp.storage.Bucket("twice")
gcp.storage.Bucket("twice")
gcp.pubsub.Topic("data")
"""


def test_a_resource_is_shown_where_the_program_makes_it(tmp_path: Path) -> None:
    locator = project(tmp_path, PROGRAM)
    shown = report(tmp_path)
    assert locator.violation(shown, about("data")) == Place("infra/__main__.py", 3)
    assert locator.violation(shown, about("logs")) == Place("infra/__main__.py", 6)
    topic = about("data", "portway:index:Thing$gcp:pubsub/topic:Topic")
    assert locator.violation(shown, topic) == Place("infra/__main__.py", 9)


def test_what_the_program_makes_twice_or_nowhere_is_shown_at_the_stack(tmp_path: Path) -> None:
    locator = project(tmp_path, PROGRAM)
    for name in ("twice", "never"):
        assert locator.violation(report(tmp_path), about(name)) == Place("infra/Pulumi.yaml")


def test_a_stack_is_shown_at_its_placement(tmp_path: Path) -> None:
    locator = project(tmp_path, stack="# ours\nconfig:\n  portway:placement: {target: desk}\n")
    assert locator.stack(report(tmp_path)) == Place("infra/stacks/Pulumi.dev.yaml", 3)
    assert locator.stack(report(tmp_path, "prod")) == Place("infra/Pulumi.yaml", 1)


def test_a_program_that_cannot_be_read_is_shown_at_the_stack(tmp_path: Path) -> None:
    locator = project(tmp_path, "def (:\n", stack="config: {}\n")
    assert locator.violation(report(tmp_path), about("data")) == Place(
        "infra/stacks/Pulumi.dev.yaml"
    )


def test_other_peoples_code_is_no_part_of_the_program(tmp_path: Path) -> None:
    locator = project(tmp_path, 'Bucket("data")\n')
    for folder in (".venv", "venv", "node_modules/x"):
        inner = tmp_path / "infra" / folder
        inner.mkdir(parents=True)
        (inner / "copy.py").write_text('Bucket("data")\n')
    other = tmp_path / "infra" / "other"
    other.mkdir()
    (other / "Pulumi.yaml").write_text("name: other\nruntime: python\n")
    (other / "__main__.py").write_text('Bucket("data")\n')
    assert locator.violation(report(tmp_path), about("data")) == Place("infra/__main__.py", 1)


def test_a_resource_of_a_state_is_shown_at_its_urn(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    rows = [{"urn": about(name).urn} for name in ("first", "data")]
    file.write_text(json.dumps({"deployment": {"resources": rows}}, indent=1))
    of_state = StackReport("dev", None, (), state=file)
    locator = Locator(tmp_path)
    assert locator.violation(of_state, about("data")) == Place("state.json", 8)
    assert locator.violation(of_state, about("never")) == Place("state.json", 1)
    assert locator.stack(of_state) == Place("state.json", 1)
