"""Every refusal in the API server's own words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.sandbox.controlplane.defaults import with_defaults
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Object, Ref, plural, token_of, without_nulls
from portway.sandbox.controlplane.quantities import parse_quantity
from portway.sandbox.controlplane.rules import check_object
from portway.sandbox.controlplane.schema import check_built_in, is_built_in, shipped_crds
from support import kube_objects as kube

POD = 'Deployment.apps "chat" is invalid: spec.template.spec.'
RUNTIME = f"{POD}containers[0]."


def judged(obj: Object) -> str:
    try:
        check_built_in(obj)
        check_object(with_defaults(obj))
    except ApiError as error:
        return error.message
    return ""


def hpa(**spec: Any) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    wanted = {"scaleTargetRef": target, "maxReplicas": 2, **spec}
    return kube.of("autoscaling/v2", "HorizontalPodAutoscaler", spec=wanted)


def policy(peer: Object) -> Object:
    return kube.of(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={"podSelector": {}, "ingress": [{"from": [peer]}]},
    )


def claim(**spec: Any) -> Object:
    return kube.of("v1", "PersistentVolumeClaim", spec=spec)


def probe(**fields: Any) -> Object:
    return {"httpGet": {"port": 8080}, **fields}


def test_good_objects_pass() -> None:
    good = (kube.namespace(), kube.deployment(), kube.service(), hpa(), policy({"podSelector": {}}))
    assert [judged(obj) for obj in good] == [""] * len(good)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}, ""),
        ({"resources": {"requests": {"storage": "10Gi"}}}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"accessModes": ["ReadWriteOnce"]}, "spec.resources[storage]: Required value"),
        ({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "0"}}}, 'spec.resources[storage]: Invalid value: "0": must be greater than zero'),
    ],
)  # fmt: skip
def test_a_claim_says_how_much_and_for_whom(spec: Any, cause: str) -> None:
    said = judged(claim(**spec))
    assert said == (f'PersistentVolumeClaim "chat" is invalid: {cause}' if cause else "")


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            kube.with_container(livenessProb=probe(), imagePullPolcy="Always"),
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.template.spec.containers[0].imagePullPolcy", '
            'unknown field "spec.template.spec.containers[0].livenessProb"',
        ),
        (
            kube.deployment(replicas="two"),
            'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal '
            "string into Go struct field Deployment.spec.replicas of type int32",
        ),
        (
            kube.with_container(env=[{"name": "PORT", "value": 8080}]),
            'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal number '
            "into Go struct field Deployment.spec.template.spec.containers[0].env[0].value of type string",
        ),
        (
            kube.of("apps/v1", "Deployment", spec={"template": {}}),
            'Deployment.apps "chat" is invalid: spec.selector: Required value',
        ),
        (
            kube.deployment(selector={"matchLabels": {"app": "other"}}),
            'Deployment.apps "chat" is invalid: spec.template.metadata.labels: Invalid value: '
            '{"app.kubernetes.io/name":"chat"}: `selector` does not match template `labels`',
        ),
        (
            kube.deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            'Deployment.apps "chat" is invalid: spec.strategy.rollingUpdate.maxUnavailable: '
            "Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            kube.deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            'Deployment.apps "chat" is invalid: spec.strategy.rollingUpdate: Forbidden: '
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            kube.with_container(
                resources={"limits": {"nvidia.com/gpu": "2"}, "requests": {"nvidia.com/gpu": "1"}}
            ),
            f'{RUNTIME}resources.requests: Invalid value: "1": must be equal to nvidia.com/gpu limit of 2',
        ),
        (
            kube.with_container(resources={"limits": {"nvidia.com/gpu": "0.5"}}),
            f"{POD.removesuffix('spec.template.spec.')}"
            '[spec.template.spec.containers[0].resources.limits: Invalid value: "0.5": must be an integer, '
            'spec.template.spec.containers[0].resources.limits: Invalid value: "0.5": must be an integer]',
        ),
        (
            kube.with_container(resources={"requests": {"nvidia.com/gpu": "1"}}),
            f"{RUNTIME}resources.limits: Required value: "
            "Limit must be set for non overcommitable resources",
        ),
        (
            kube.with_container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2000m"}}),
            f'{RUNTIME}resources.requests: Invalid value: "2000m": must be less than or equal to cpu limit of 1',
        ),
        (
            kube.with_container(startupProbe=probe(successThreshold=2)),
            f"{RUNTIME}startupProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            kube.with_container(livenessProbe={"periodSeconds": 5}),
            f"{RUNTIME}livenessProbe: Required value: must specify a handler type",
        ),
        (
            kube.with_container(lifecycle={"preStop": {"sleep": {"seconds": 30}}}),
            f"{RUNTIME}lifecycle.preStop.sleep: Invalid value: 30: must be non-negative and "
            "less than terminationGracePeriodSeconds (30)",
        ),
        (
            kube.with_container(volumeMounts=[{"name": "keys", "mountPath": "/keys"}]),
            f'{RUNTIME}volumeMounts[0].name: Not found: "keys"',
        ),
        (
            kube.with_container(ports=[{"containerPort": 70000}]),
            f"{RUNTIME}ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            kube.with_pod(containers=[kube.CONTAINER, kube.CONTAINER]),
            f'{POD}containers[1].name: Duplicate value: "runtime"',
        ),
        (kube.with_pod(containers=[]), f"{POD}containers: Required value"),
        (
            kube.with_pod(restartPolicy="Never"),
            f'{POD}restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
        (
            kube.with_pod(volumes=[{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]),
            f"{POD}volumes[0].secret: Forbidden: may not specify more than 1 volume type",
        ),
        (
            kube.with_pod(
                topologySpreadConstraints=[
                    {
                        "maxSkew": 1,
                        "topologyKey": "zone",
                        "minDomains": 2,
                        "whenUnsatisfiable": "ScheduleAnyway",
                    }
                ]
            ),
            f"{POD}topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains "
            "if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ),
        (
            kube.service(type="Balancer"),
            'Service "chat" is invalid: spec.type: Unsupported value: "Balancer": supported values: '
            '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ),
        (
            kube.service(ports=[{"port": 80}, {"port": 81, "name": "other"}]),
            'Service "chat" is invalid: spec.ports[0].name: Required value',
        ),
        (
            kube.service(type="ExternalName", ports=None),
            'Service "chat" is invalid: spec.externalName: Required value',
        ),
        (
            hpa(minReplicas=0),
            'HorizontalPodAutoscaler.autoscaling "chat" is invalid: spec.minReplicas: Invalid value: 0: '
            "must be greater than or equal to 1",
        ),
        (
            kube.of(
                "policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": 1}
            ),
            'PodDisruptionBudget.policy "chat" is invalid: spec: Invalid value: '
            '{"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
        ),
        (
            policy({}),
            'NetworkPolicy.networking.k8s.io "chat" is invalid: spec.ingress[0].from[0]: '
            "Required value: must specify a peer",
        ),
        (
            policy({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
            'NetworkPolicy.networking.k8s.io "chat" is invalid: spec.ingress[0].from[0]: '
            "Forbidden: may not specify both ipBlock and another peer",
        ),
        (
            policy({"ipBlock": {"cidr": "192.168.0.5/24"}}),
            'NetworkPolicy.networking.k8s.io "chat" is invalid: spec.ingress[0].from[0].ipBlock.cidr: '
            'Invalid value: "192.168.0.5/24": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
        (
            policy({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}),
            'NetworkPolicy.networking.k8s.io "chat" is invalid: spec.ingress[0].from[0].ipBlock.except[0]: '
            'Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        ),
        (
            kube.of("v1", "ConfigMap", binaryData={"runtime.pyz": "*"}),
            'ConfigMap "chat" is invalid: binaryData[runtime.pyz]: Invalid value: illegal base64 data',
        ),
        (
            kube.of("v1", "ConfigMap", data={"big": "x" * (1024 * 1024 + 1)}),
            'ConfigMap "chat" is invalid: []: Too long: may not be more than 1048576 bytes',
        ),
    ],
)
def test_a_broken_object_is_refused_in_the_api_servers_words(obj: Object, message: str) -> None:
    assert judged(without_nulls(obj)) == message


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("Service", "9chat", "a DNS-1035 label must consist of"),
        ("Namespace", "Chat", "a lowercase RFC 1123 label must consist of"),
        ("ConfigMap", "chat_1", "a lowercase RFC 1123 subdomain must consist of"),
        ("Service", "x" * 64, "must be no more than 63 characters"),
        ("ConfigMap", "", "Required value: name or generateName is required"),
    ],
)
def test_names_are_judged_by_their_kind(kind: str, name: str, part: str) -> None:
    obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    if kind == "Service":
        obj["spec"] = {"ports": [{"port": 80}]}
    assert part in judged(obj)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ({"model": "mistralai/Ministral"}, "a valid label must be an empty string or consist of"),
        ({"model": "x" * 64}, "must be no more than 63 bytes"),
        ({"a/b/c": "x"}, "prefix part a lowercase RFC 1123 subdomain"),
    ],
)
def test_labels_are_judged(labels: dict[str, str], part: str) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": labels}}
    assert part in judged(obj)


def test_values_not_known_yet_are_taken_as_right() -> None:
    obj = kube.deployment(replicas="(unknown)", paused="yes")
    with pytest.raises(ApiError, match=r"spec\.paused of type bool"):
        check_built_in(obj, unknown="(unknown)")


def test_kinds_are_found_by_group_version_and_kind() -> None:
    known = ("v1", "Service"), ("apps/v1", "Deployment"), ("networking.k8s.io/v1", "NetworkPolicy")
    other = ("v1", "service"), ("v1", "Container"), ("apps.example/v1", "Deployment"), ("v1", "")
    assert [is_built_in(*kind) for kind in known] == [True] * 3
    assert [is_built_in(*kind) for kind in other] == [False] * 4
    assert set(shipped_crds()) == {
        "gateway.networking.k8s.io/v1/HTTPRoute",
        "gateway.networking.k8s.io/v1beta1/ReferenceGrant",
        "http.keda.sh/v1beta1/InterceptorRoute",
        "inference.networking.k8s.io/v1/InferencePool",
        "keda.sh/v1alpha1/ScaledObject",
        "kueue.x-k8s.io/v1beta2/LocalQueue",
        "leaderworkerset.x-k8s.io/v1/LeaderWorkerSet",
        "monitoring.coreos.com/v1/PodMonitor",
        "monitoring.coreos.com/v1/PrometheusRule",
        "monitoring.coreos.com/v1/ServiceMonitor",
        "networking.gke.io/v1/GCPBackendPolicy",
        "networking.gke.io/v1/HealthCheckPolicy",
    }


def test_kinds_are_spelt_as_the_api_and_pulumi_spell_them() -> None:
    kinds = ("Service", "NetworkPolicy", "Ingress", "Endpoints", "StorageClass", "Gateway")
    assert [plural(kind) for kind in kinds] == [
        "services", "networkpolicies", "ingresses", "endpoints", "storageclasses", "gateways",
    ]  # fmt: skip
    assert token_of("v1", "Service") == "kubernetes:core/v1:Service"
    assert Ref.of(kube.deployment()).token == "kubernetes:apps/v1:Deployment"
    assert (
        Ref("policy/v1", "PodDisruptionBudget", "x", "n").resource == "poddisruptionbudgets.policy"
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", "0.25"),
        ("16Gi", str(16 * 2**30)),
        ("1", "1"),
        ("1e3", "1000"),
        (2, "2"),
        ("2E", str(2 * 10**18)),
    ],
)
def test_quantities_are_numbers(text: object, number: str) -> None:
    found = parse_quantity(text)
    assert found is not None
    assert found == type(found)(number)


@given(st.text(max_size=8))
def test_no_text_breaks_the_reading_of_quantities(text: str) -> None:
    parse_quantity(text)
