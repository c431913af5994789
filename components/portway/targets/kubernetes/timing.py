"""How long starting, rolling out and stopping may take. Pure."""

from typing import Final

from portway.models import Model
from portway.spec import InferenceServiceSpec

DRAIN_SECONDS: Final = 15
"""From the moment a pod is taken out of its Service until every node has heard of it."""

EXIT_SECONDS: Final = 10
ENGINE_START_SECONDS: Final = 300
DOWNLOAD_SECONDS_PER_GB: Final = 40
"""A generous start: compilation and CUDA graphs, and the weights at a slow 200 Mbit/s."""

PROBE_PERIOD_SECONDS: Final = 10
PROVISION_SECONDS: Final = 900
"""A new GPU node (60-300 s on GKE and EKS) and 10 GB of image, before the model starts to load."""


def startup_seconds(model: Model) -> int:
    """How long a model may load before its container is restarted, in whole probe periods."""
    seconds = ENGINE_START_SECONDS + download_seconds(model)
    return -int(-seconds // PROBE_PERIOD_SECONDS) * PROBE_PERIOD_SECONDS


def download_seconds(model: Model) -> float:
    """How long the weights of a model may take over the network."""
    return DOWNLOAD_SECONDS_PER_GB * float(model.weights_gb)


def grace_seconds(spec: InferenceServiceSpec) -> int:
    """From the order to stop until a pod is killed: the longest request may still end."""
    return DRAIN_SECONDS + spec.timeout_seconds + EXIT_SECONDS
