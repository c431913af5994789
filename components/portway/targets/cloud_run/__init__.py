"""Cloud Run with NVIDIA L4 GPUs: the runtime beside vLLM in one instance."""

from portway.target import Capabilities, Target
from portway.targets.cloud_run.facts import FACTS
from portway.targets.cloud_run.meters import meters
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.places import WITHOUT, place, regions
from portway.targets.cloud_run.plan import plan
from portway.targets.cloud_run.prices import rates
from portway.upstreams import VLLM

TARGET = Target(
    name="cloud-run",
    capabilities=Capabilities(
        auth=frozenset({"api-key", "iam"}),
        reach=frozenset({"public", "private"}),
        scales_to_zero=True,
        streams=True,
        serves_own_weights=True,
        wire={**VLLM, "too many requests": "holds them back for a while, then 429"},
    ),
    options=CloudRunOptions,
    plan=plan,
    component="portway.targets.cloud_run.component:CloudRunService",
    facts=FACTS,
    meters=meters,
    rates=rates,
    regions=regions,
    place=place,
    without=WITHOUT,
    doors={
        "cloud-run": "portway.targets.cloud_run.door:DOOR",
        "cloud-dns": "portway.doors:CLOUD_DNS",
    },
)
