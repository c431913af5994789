"""Every type that the target creates can be read by a gate."""

from portway.targets.kubernetes.facts import FACTS
from portway.targets.kubernetes.plan import TARGET_NAME
from support import golden


def test_every_created_type_has_facts() -> None:
    created: set[str] = set()
    for name, case in golden.cases().items():
        if name.endswith(f"@{TARGET_NAME}") and (golden.GOLDEN / f"{name}.plan.json").exists():
            created.update(golden.deployed(golden.planned(case)).types())
    own = {"portway:index:KubernetesService", "pulumi:providers:kubernetes"}
    assert created - own == set(FACTS)


def test_whoever_declares_a_maximum_for_another_says_for_whom() -> None:
    scalers = {token for token, facts in FACTS.items() if facts.scales}
    assert scalers == {
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "kubernetes:keda.sh/v1alpha1:ScaledObject",
    }
    assert all(FACTS[token].maximum for token in scalers)
