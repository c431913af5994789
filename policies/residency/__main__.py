"""The residency pack, for Pulumi: `pulumi preview --policy-pack policies/residency`."""

from pathlib import Path

from portway.gate.policy import serve

serve(Path(__file__).parent)
