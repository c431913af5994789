"""Deploy one service at the placement of the selected stack."""

import pulumi

from portway import InferenceService, read_stack

spec, placement = read_stack()
service = InferenceService(spec.name, spec, placement)
for name, value in service.outputs.items():
    pulumi.export(name, value)
