"""The Kubernetes plugin: what the engine is told of objects, kinds, names, changes and refusals."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from portway.sandbox.controlplane.stored import StoredApi
from portway.sandbox.providers import kubernetes_await, readiness, server, wire
from portway.sandbox.providers.cloud import CloudError, Code, InitFailed
from portway.sandbox.store import Status
from portway.sayings import explain
from support import kube_objects as kube
from support.plugin import Made, Plugin

Json = dict[str, Any]
DEPLOYMENT, SERVICE = "apps/v1:Deployment", "core/v1:Service"
SECRET, CONFIG_MAP = "core/v1:Secret", "core/v1:ConfigMap"
KEY = "kubernetes|prod-eu|kubernetes:apps/v1:Deployment|chat-prod/chat"


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    made = Plugin(tmp_path, "kubernetes", {"context": "prod-eu"})
    made.create("core/v1:Namespace", "ns", kube.namespace())
    return made


@pytest.fixture
def serving(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """The plugin in a sandbox whose data plane runs; a test says what it says."""
    plugin.store.set_meta("dataplane", "on")
    monkeypatch.setattr(readiness, "_running", Mock(return_value=True))
    return plugin


def config_map(**fields: Any) -> Json:
    return kube.of("v1", "ConfigMap", **fields)


def refusal(act: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as refused:
        act()
    return refused.value


def replaced(plugin: Plugin, made: Made, inputs: Json) -> tuple[list[str], bool]:
    answer = plugin.diff(made, inputs)
    return sorted(answer.replaces), answer.deleteBeforeReplace


# names and places


def test_an_id_is_namespace_and_name(plugin: Plugin) -> None:
    assert plugin.create(DEPLOYMENT, "d", kube.deployment()).id == "chat-prod/chat"
    assert plugin.create("core/v1:Namespace", "n", kube.namespace("other")).id == "other"


def test_an_object_without_a_name_gets_one_that_stays(plugin: Plugin) -> None:
    inputs: Json = {"metadata": {"namespace": "chat-prod"}, "data": {"a": "1"}}
    checked, failures = plugin.check(CONFIG_MAP, "settings", inputs)
    assert failures == []
    name = checked["metadata"]["name"]
    assert name.startswith("settings-")
    assert len(name) == len("settings-") + 8
    assert checked["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    again, _ = plugin.check(CONFIG_MAP, "settings", inputs, checked)
    assert again == checked


def test_an_object_without_a_namespace_lives_in_the_providers(tmp_path: Path) -> None:
    plain = Plugin(tmp_path, "kubernetes", {"context": "a"})
    bound = Plugin(tmp_path, "kubernetes", {"context": "a", "namespace": "chat-prod"})
    inputs: Json = {"metadata": {"name": "c"}}
    assert plain.check(CONFIG_MAP, "c", inputs)[0]["metadata"]["namespace"] == "default"
    assert bound.check(CONFIG_MAP, "c", inputs)[0]["metadata"]["namespace"] == "chat-prod"


def test_every_context_is_a_cluster_of_its_own(plugin: Plugin, tmp_path: Path) -> None:
    other = Plugin(tmp_path, "kubernetes", {"context": "prod-us"})
    other.create("core/v1:Namespace", "ns", kube.namespace())
    taken = refusal(lambda: plugin.create("core/v1:Namespace", "again", kube.namespace()))
    assert taken.code is Code.ALREADY_EXISTS
    assert str(taken) == (
        "resource chat-prod was not successfully created by the Kubernetes API server: "
        'namespaces "chat-prod" already exists'
    )


# what is refused before anything happens


def test_unknown_fields_are_refused_in_the_apis_words(plugin: Plugin) -> None:
    wrong = kube.with_container(livenessProb={})
    _, failures = plugin.check(DEPLOYMENT, "d", wrong)
    assert failures == [
        (
            "",
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.template.spec.containers[0].livenessProb"',
        )
    ]


def test_a_field_that_is_not_known_yet_is_no_mistake(plugin: Plugin) -> None:
    _, failures = plugin.check(DEPLOYMENT, "d", kube.deployment(replicas=wire.UNKNOWN))
    assert failures == []


@pytest.mark.parametrize(
    "token", ["helm.sh/v3:Release", "yaml:ConfigFile", "core/v1:ServiceList", "apps/v1:DeploymentPatch"]
)  # fmt: skip
def test_what_is_no_single_object_is_not_served(plugin: Plugin, token: str) -> None:
    ((_, why),) = plugin.check(token, "x", {})[1]
    assert "it applies single objects" in why


def test_an_object_must_be_of_its_resources_kind(plugin: Plugin) -> None:
    ((path, why),) = plugin.check(CONFIG_MAP, "c", kube.of("v1", "Secret"))[1]
    assert (path, why) == ("kind", "is v1 Secret, and the type says kubernetes:core/v1:ConfigMap")


@pytest.mark.parametrize(
    ("config", "path"),
    [({"contxt": "a"}, "contxt"), ({"renderYamlToDirectory": "out"}, "renderYamlToDirectory")],
)
def test_the_providers_settings_are_checked(plugin: Plugin, config: Json, path: str) -> None:
    assert [failure.path for failure in plugin.cloud.check_config(config)] == [path]


# previews


def test_a_preview_knows_everything_but_the_status(plugin: Plugin) -> None:
    outputs = plugin.preview(SERVICE, "s", kube.service(type="LoadBalancer"))
    assert outputs["status"] == wire.UNKNOWN
    assert outputs["spec"]["type"] == "LoadBalancer"
    assert "status" not in plugin.preview(CONFIG_MAP, "c", config_map())


def test_a_preview_asks_the_api(plugin: Plugin) -> None:
    wrong = kube.deployment(selector={"matchLabels": {"a": "b"}})
    text = str(refusal(lambda: plugin.preview(DEPLOYMENT, "d", wrong)))
    assert "`selector` does not match template `labels`" in text


def test_a_preview_may_come_before_its_namespace(plugin: Plugin) -> None:
    inputs = config_map()
    inputs["metadata"]["namespace"] = "later"
    assert plugin.preview(CONFIG_MAP, "c", inputs)["metadata"]["namespace"] == "later"


def test_a_preview_changes_nothing(plugin: Plugin) -> None:
    before = plugin.store.revision()
    plugin.preview(DEPLOYMENT, "d", kube.deployment())
    assert plugin.store.revision() == before


def test_a_preview_meets_the_object_of_another_resource(plugin: Plugin) -> None:
    plugin.create(CONFIG_MAP, "first", config_map())
    text = str(refusal(lambda: plugin.preview(CONFIG_MAP, "second", config_map())))
    assert text.endswith('configmaps "chat" already exists')
    assert plugin.preview(CONFIG_MAP, "first", config_map())["kind"] == "ConfigMap"


# changes


def test_a_change_in_place_replaces_nothing(plugin: Plugin) -> None:
    made = plugin.create(DEPLOYMENT, "d", kube.deployment(replicas=1))
    assert replaced(plugin, made, kube.deployment(replicas=2)) == ([], False)
    assert plugin.update(made, kube.deployment(replicas=2)).outputs["spec"]["replicas"] == 2


def test_what_the_api_cannot_change_replaces_and_a_fixed_name_goes_first(plugin: Plugin) -> None:
    made = plugin.create(DEPLOYMENT, "d", kube.deployment())
    changed = kube.deployment(selector={"matchLabels": {"app": "x"}})
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "x"}
    assert replaced(plugin, made, changed) == (["spec"], True)


def test_a_new_name_is_a_new_object_beside_the_old_one(plugin: Plugin) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map())
    renamed = config_map()
    renamed["metadata"]["name"] = "other"
    assert replaced(plugin, made, renamed) == (["metadata"], False)


def test_content_is_replaced_unless_the_provider_may_change_it(tmp_path: Path) -> None:
    for settings, expected in (({}, ["stringData"]), ({"enableSecretMutable": "true"}, [])):
        plugin = Plugin(tmp_path / str(len(settings)), "kubernetes", settings)
        plugin.create("core/v1:Namespace", "ns", kube.namespace())
        made = plugin.create(SECRET, "s", kube.of("v1", "Secret", stringData={"k": "1"}))
        assert replaced(plugin, made, kube.of("v1", "Secret", stringData={"k": "2"}))[0] == expected


def test_immutable_content_is_always_replaced(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, "kubernetes", {"enableConfigMapMutable": "true"})
    plugin.create("core/v1:Namespace", "ns", kube.namespace())
    made = plugin.create(CONFIG_MAP, "c", config_map(immutable=True, data={"a": "1"}))
    assert replaced(plugin, made, config_map(immutable=True, data={"a": "2"}))[0] == ["data"]


# secrets


def test_a_secrets_content_is_secret_in_every_answer(plugin: Plugin) -> None:
    inputs = kube.of("v1", "Secret", stringData=wire.secret({"k": "hidden"}))
    made = plugin.create(SECRET, "s", inputs)
    assert wire.is_secret(made.outputs["data"])
    seen = plugin.read(SECRET, "s", made.id, made)
    assert seen is not None
    assert wire.is_secret(seen.inputs["stringData"])
    assert seen.inputs == made.inputs


# reading


def test_a_refresh_without_drift_changes_nothing(plugin: Plugin) -> None:
    for token, inputs in (
        (DEPLOYMENT, kube.deployment()),
        (SERVICE, kube.service(type="LoadBalancer")),
        (SECRET, kube.of("v1", "Secret", stringData=wire.secret({"k": "v"}))),
    ):
        made = plugin.create(token, "it", inputs)
        seen = plugin.read(token, "it", made.id, made)
        assert seen is not None
        assert (seen.inputs, seen.outputs) == (made.inputs, made.outputs)


def test_a_refresh_reports_what_somebody_else_changed(plugin: Plugin) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map(data={"a": "1"}))
    row = plugin.store.all(type="kubernetes:core/v1:ConfigMap")[0]
    plugin.store.update(row.key, row.inputs, {**row.outputs, "data": {"a": "2", "theirs": "x"}})
    seen = plugin.read(CONFIG_MAP, "c", made.id, made)
    assert seen is not None
    assert seen.inputs["data"] == {"a": "2"}


def test_what_is_gone_is_not_found(plugin: Plugin) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map())
    plugin.delete(made)
    plugin.delete(made)
    assert plugin.read(CONFIG_MAP, "c", made.id, made) is None


def test_an_import_brings_what_the_cluster_did_not_assign(plugin: Plugin) -> None:
    made = plugin.create(CONFIG_MAP, "c", config_map(data={"a": "1"}))
    found = plugin.read(CONFIG_MAP, "imported", made.id)
    assert found is not None
    assert found.inputs == config_map(data={"a": "1"})


# waiting


def test_a_deployment_comes_back_when_its_pods_serve(serving: Plugin) -> None:
    serving.store.set_status(KEY, Status(1, ready=True))
    made = serving.create(DEPLOYMENT, "d", kube.deployment())
    assert made.outputs["status"]["readyReplicas"] == 1


def test_a_deployment_that_never_serves_is_kept_with_its_reasons(serving: Plugin) -> None:
    with pytest.raises(InitFailed) as failed:
        serving.create(DEPLOYMENT, "d", kube.deployment(), timeout_seconds=0.2)
    first, second, *_ = failed.value.reasons
    assert first == (
        "resource chat-prod/chat was successfully created, but the Kubernetes API server reported that "
        "it failed to fully initialize or become live: 'chat' timed out waiting to be Ready"
    )
    assert second.startswith("[MinimumReplicasUnavailable]")
    assert failed.value.state.id == "chat-prod/chat"


def test_a_rollout_that_was_given_up_is_not_waited_for(serving: Plugin) -> None:
    serving.store.set_status(KEY, Status(1, ready=False, message="container vllm exited with 2"))
    began = time.monotonic()
    with pytest.raises(InitFailed) as failed:
        serving.create(DEPLOYMENT, "d", kube.deployment(), timeout_seconds=60)
    assert time.monotonic() - began < 30
    assert any("container vllm exited with 2" in reason for reason in failed.value.reasons)


def test_pods_that_are_refused_say_why(serving: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_await, "REFUSED_SECONDS", 0.2)
    with pytest.raises(InitFailed) as failed:
        serving.create(DEPLOYMENT, "d", kube.with_container(securityContext={}), timeout_seconds=60)
    (why,) = [reason for reason in failed.value.reasons if reason.startswith("[FailedCreate]")]
    assert 'violates PodSecurity "restricted:latest"' in why


def test_nothing_that_nobody_would_serve_is_created(plugin: Plugin) -> None:
    plugin.store.set_meta("dataplane", "on")
    refused = refusal(lambda: plugin.create(DEPLOYMENT, "d", kube.deployment()))
    assert refused.code is Code.UNAVAILABLE
    assert "portway sandbox start" in str(refused)
    assert plugin.store.all(type="kubernetes:apps/v1:Deployment") == []


def test_a_data_plane_that_ends_meanwhile_leaves_the_object_in_the_state(
    serving: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_running", Mock(side_effect=[True, False]))
    with pytest.raises(InitFailed) as failed:
        serving.create(DEPLOYMENT, "d", kube.deployment(), timeout_seconds=60)
    assert "data plane is not running" in failed.value.reasons[0]


def test_a_service_waits_for_the_pods_behind_it(serving: Plugin) -> None:
    serving.create(SERVICE, "alone", kube.service())
    unready = kube.deployment()
    unready["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    serving.create(DEPLOYMENT, "d", unready)
    second = kube.service()
    second["metadata"]["name"] = "second"
    with pytest.raises(InitFailed) as failed:
        serving.create(SERVICE, "second", second, timeout_seconds=0.2)
    assert failed.value.reasons[1].startswith("Service does not target any Pods.")


def test_an_engine_that_ends_is_not_kept_waiting(serving: Plugin) -> None:
    serving.cloud.cancelled.set()
    with pytest.raises(InitFailed, match="cancelled"):
        serving.create(DEPLOYMENT, "d", kube.deployment(), timeout_seconds=60)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ("condition=Ready", True),
        ("condition=Ready=False", False),
        ("jsonpath={.spec.maxReplicaCount}=3", True),
        ("jsonpath={.spec.maxReplicaCount}=4", False),
        ('["condition=Ready", "jsonpath={.metadata.name}"]', True),
        ("nonsense", False),
    ],
)
def test_an_annotation_says_what_to_wait_for(plugin: Plugin, wanted: str, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    scaled = kube.of(
        "keda.sh/v1alpha1",
        "ScaledObject",
        spec={"scaleTargetRef": {"name": "chat"}, "triggers": [], "maxReplicaCount": 3},
    )
    scaled["metadata"]["annotations"] = {"pulumi.com/waitFor": wanted}
    expected = nullcontext() if holds else pytest.raises(InitFailed, match="timed out")
    with expected:
        plugin.create("keda.sh/v1alpha1:ScaledObject", "s", scaled, timeout_seconds=0.15)


# kinds that the cluster does not have


def test_a_kind_without_its_definition_is_refused_only_for_real(plugin: Plugin) -> None:
    thing = kube.of("example.org/v1", "Thing", spec={})
    assert plugin.preview("example.org/v1:Thing", "t", thing)["status"] == wire.UNKNOWN
    text = str(refusal(lambda: plugin.create("example.org/v1:Thing", "t", thing)))
    assert text == (
        "creation of resource chat-prod/chat failed because the Kubernetes API server reported that the "
        "apiVersion for this resource does not exist. Verify that any required CRDs have been created: "
        'no matches for kind "Thing" in version "example.org/v1"'
    )


# faults


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("connection_refused", "dial tcp 203.0.113.20:443: connect: connection refused"),
        ("unavailable", "the server is currently unable to handle the request"),
        ("throttled", "the server has received too many requests"),
    ],
)
def test_an_api_server_that_is_away_is_asked_again_and_named_once_patience_ends(
    fault: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE_SECONDS", 0.001)
    (tmp_path / "faults.yaml").write_text(f"[{{operation: '*', fault: {fault}, times: 3}}]")
    patient = Plugin(tmp_path, "kubernetes", {"context": "prod-eu"})
    patient.create("core/v1:Namespace", "ns", kube.namespace())
    assert patient.create(CONFIG_MAP, "c", config_map()).id == "chat-prod/chat"
    monkeypatch.setattr(server, "_PATIENCE_SECONDS", 0.01)
    (tmp_path / "faults.yaml").write_text(f"[{{fault: {fault}}}]")
    gone = Plugin(tmp_path, "kubernetes", {"context": "prod-eu"})
    refused = refusal(lambda: gone.create(SECRET, "s", kube.of("v1", "Secret")))
    assert (refused.code, said in str(refused)) == (Code.UNAVAILABLE, True)
    (ours,) = explain([("", str(refused))], "chat.prod.kubernetes")
    assert ours.means.startswith("the cluster's API server could not be reached")
    assert patient.store.all(type="kubernetes:core/v1:Secret") == []


def test_a_login_that_has_ended_is_told_as_the_plugin_begins(tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text("[{operation: configure, fault: expired, times: 1}]")
    refused = refusal(lambda: Plugin(tmp_path, "kubernetes", {"context": "prod-eu"}))
    assert refused.code is Code.UNAUTHENTICATED
    (ours,) = explain([("", str(refused))], "chat.prod.kubernetes")
    assert ours.means.startswith("the credentials of your kubeconfig have expired")


def test_what_somebody_else_owns_is_taken_back_only_by_who_says_so(tmp_path: Path) -> None:
    gentle = Plugin(tmp_path, "kubernetes", {"context": "prod-eu"})
    gentle.create("core/v1:Namespace", "ns", kube.namespace())
    made = gentle.create(CONFIG_MAP, "c", config_map(data={"a": "1"}))
    api = StoredApi(gentle.store, "prod-eu")
    api.apply(config_map(data={"a": "2"}), field_manager="somebody", force=True)
    text = str(refusal(lambda: gentle.update(made, config_map(data={"a": "1"}))))
    assert 'conflict with "somebody": .data.a' in text
    forceful = Plugin(tmp_path, "kubernetes", {"context": "prod-eu", "enablePatchForce": True})
    assert forceful.update(made, config_map(data={"a": "1"})).outputs["data"] == {"a": "1"}
    again = gentle.update(made, config_map(data={"a": "3"}))
    assert again.outputs["data"] == {"a": "3"}, "it is ours again"


def test_faults_speak_as_the_api_does(tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(
        "faults:\n"
        '  - {type: "kubernetes:core/v1:ConfigMap", operation: create, fault: denied, times: 1}\n'
        '  - {type: "kubernetes:core/v1:Secret", operation: create, fault: quota, times: 1}\n'
    )
    plugin = Plugin(tmp_path, "kubernetes", {"context": "prod-eu"})
    plugin.create("core/v1:Namespace", "ns", kube.namespace())
    assert str(refusal(lambda: plugin.create(CONFIG_MAP, "c", config_map()))) == (
        'configmaps is forbidden: User "sandbox" cannot create resource "configmaps" in API group "" '
        'in the namespace "chat-prod"'
    )
    secret = kube.of("v1", "Secret", stringData={"k": "v"})
    assert "exceeded quota: sandbox, requested: count/secrets=1" in str(
        refusal(lambda: plugin.create(SECRET, "s", secret))
    )
    assert plugin.create(CONFIG_MAP, "c", config_map()).id == "chat-prod/chat"
