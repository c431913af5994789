"""The component provider under the real engine: started from its folder, judged by both packs."""

from collections.abc import Generator
from pathlib import Path

import pytest

from portway.gate.run import StackReport, Verdict, Workshop, run_gate, subjects_of
from support.gate_workshop import policies, workshop
from support.provider_host import COMPONENTS

pytestmark = pytest.mark.sandbox

SETTINGS = f"""\
name: shop
runtime: python
plugins:
  providers:
    - {{name: portway, path: {COMPONENTS}}}
"""
PROGRAM = """\
import pulumi


class Service(pulumi.ComponentResource):
    '''As SDKs of every language ask the engine for a component that a provider makes.'''

    endpoint: pulumi.Output[str]

    def __init__(self, name, props):
        kind = "portway:index:InferenceService"
        super().__init__(kind, name, {**props, "endpoint": None}, None, remote=True)


SPEC = {
    "model": "ministral-3-8b",
    "scaling": {"min": 0, "max": MAX},
    "residency": ["eu"],
    "budget": {"monthlyUsd": 2500},
    "traffic": {"requestsPerDay": 2000},
}
chat = Service("chat", {"spec": SPEC, "target": "lambda-bedrock", "region": "eu-west-1"})
pulumi.export("endpoint", chat.endpoint)
"""


@pytest.fixture(scope="module")
def going() -> Generator[Workshop]:
    with workshop() as made:
        yield made


def gated(going: Workshop, folder: Path, most: int) -> StackReport:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(SETTINGS)
    (folder / "Pulumi.chat.prod.shop.yaml").write_text("config: {}\n")
    (folder / "__main__.py").write_text(PROGRAM.replace("MAX", str(most)))
    (report,) = run_gate(subjects_of(folder), policies(), going)
    return report


def test_a_program_of_another_language_is_previewed_and_judged(
    going: Workshop, tmp_path: Path
) -> None:
    report = gated(going, tmp_path / "good", 2)
    assert (report.faults, report.verdict) == ((), Verdict.PASSED)
    assert report.record is not None
    types = {urn.split("::")[2].rpartition("$")[2] for urn in report.record.registered}
    assert {"aws:lambda/function:Function", "aws:budgets/budget:Budget"} <= types
    # The gate priced what the provider made, and the pack held it to the budget that it declares.
    assert report.costs is not None
    assert report.costs.monthly is not None
    assert 0 < report.costs.ceiling <= 2500


def test_what_is_wrong_is_said_by_property(going: Workshop, tmp_path: Path) -> None:
    report = gated(going, tmp_path / "bad", 0)
    assert report.verdict is Verdict.FAILED
    (fault,) = report.faults
    assert "chat cannot be made as written" in fault
    assert "property spec.scaling.max" in fault
    assert "is 0; it must be at least 1" in fault
    assert "Traceback" not in fault
