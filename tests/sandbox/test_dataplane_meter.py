"""The meter on all three platforms of the sandbox: what was deployed counts, also after a restart."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.bundle import runtime_archive
from support.sandbox_daemon import sandbox
from support.sandbox_rows import API_KEY, MODEL, Cloud, CloudRunChat, KubernetesChat, LambdaChat
from support.waiting import first, reached

pytestmark = pytest.mark.sandbox

PASSWORD = "the-password-of-a-test"
LABELS = {"app": "meter"}


def meter(store: dict[str, Any], requests: int) -> str:
    limits = {"requests": requests}
    given = {"store": store, "service": "chat-prod", "limits": limits, "away": "refuse"}
    return json.dumps(given)


def ask(address: str) -> tuple[int, str | None]:
    """The status and the error code of one request, once the platform's front has the service."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
    headers = {"authorization": f"Bearer {API_KEY}"}
    url = f"{address}/v1/chat/completions"
    answer = first(
        lambda: reached(lambda: httpx.post(url, json=body, headers=headers, timeout=30)),
        lambda found: found is not None,
        "the front",
    )
    assert answer is not None
    said = answer.json()
    return answer.status_code, said.get("error", {}).get("code")


ANSWERED = (200, None)
SPENT = (429, "insufficient_quota")
AWAY = (503, "meter_unavailable")


def once_there(address: str) -> tuple[int, str | None]:
    """The first answer when the store is no longer away."""
    return first(lambda: ask(address), lambda answer: answer != AWAY, "the store")


class MeteredKubernetes(KubernetesChat):
    """The chat service with a Valkey of its own."""

    def __init__(self, cloud: Cloud, requests: int) -> None:
        super().__init__(cloud, runtime_archive().path.read_bytes())
        host = "meter.chat.svc.cluster.local"
        store = {"kind": "valkey", "host": host, "port": 6379}
        store["password_file"] = "/var/run/portway-meter/password"
        pod = self.deployment["spec"]["template"]["spec"]
        runtime = pod["containers"][0]
        runtime["env"].append({"name": "PORTWAY_METER", "value": meter(store, requests)})
        mount = {"name": "meter", "mountPath": "/var/run/portway-meter"}
        runtime["volumeMounts"].append(mount)
        chosen = [{"key": "password", "path": "password"}]
        secret = {"secretName": "meter", "items": chosen}
        pod["volumes"].append({"name": "meter", "secret": secret})
        self._valkey()

    def _valkey(self) -> None:
        data = {"password": PASSWORD, "valkey.conf": f"requirepass {PASSWORD}\n"}
        self._put("core/v1:Secret", "meter", {"metadata": self._meta("meter"), "stringData": data})
        claim = {"metadata": self._meta("meter"), "spec": {"accessModes": ["ReadWriteOnce"]}}
        self._put("core/v1:PersistentVolumeClaim", "meter", claim)
        container = {
            "name": "valkey",
            "image": "docker.io/valkey/valkey@sha256:" + "c" * 64,
            "command": ["valkey-server"],
            "args": [
                "/etc/valkey/valkey.conf", "--port", "6379", "--dir", "/data",
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--maxmemory", "96mb", "--maxmemory-policy", "noeviction",
            ],
            "ports": [{"name": "valkey", "containerPort": 6379}],
            "startupProbe": {"tcpSocket": {"port": 6379}, "failureThreshold": 30},
            "readinessProbe": {"tcpSocket": {"port": 6379}},
            "volumeMounts": [
                {"name": "config", "mountPath": "/etc/valkey"},
                {"name": "data", "mountPath": "/data"},
            ],
        }  # fmt: skip
        config = {"secretName": "meter", "items": [{"key": "valkey.conf", "path": "valkey.conf"}]}
        volumes = [
            {"name": "config", "secret": config},
            {"name": "data", "persistentVolumeClaim": {"claimName": "meter"}},
        ]
        template = {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [container], "volumes": volumes},
        }
        spec = {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": LABELS},
            "template": template,
        }
        self.valkey = {"metadata": self._meta("meter"), "spec": spec}
        self._put("apps/v1:Deployment", "meter", self.valkey)
        ports = [{"port": 6379, "targetPort": "valkey"}]
        service = {"selector": LABELS, "ports": ports}
        self._put("core/v1:Service", "meter", {"metadata": self._meta("meter"), "spec": service})

    def admit(self, labels: dict[str, str]) -> None:
        """Let only pods with these labels reach Valkey."""
        peer = {"podSelector": {"matchLabels": labels}}
        rule = {"from": [peer], "ports": [{"port": 6379, "protocol": "TCP"}]}
        spec = {
            "podSelector": {"matchLabels": LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [rule],
        }
        kind = "networking.k8s.io/v1:NetworkPolicy"
        self._put(kind, "meter", {"metadata": self._meta("meter"), "spec": spec})


def test_valkey_keeps_the_count_of_a_service_while_everything_restarts(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        chat = MeteredKubernetes(running.cloud, 2)
        service = chat.expose()
        assert running.cloud.wait(chat.deploy()).ready
        address = running.cloud.endpoint(service)
        assert ask(address) == ANSWERED
        assert running.stop(signal.SIGTERM) == 0
        running.start()
        assert [ask(address), ask(address)] == [ANSWERED, SPENT]


def test_a_network_policy_decides_whether_the_meter_is_reached(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        chat = MeteredKubernetes(running.cloud, 2)
        chat.admit({"app": "somebody-else"})
        service = chat.expose()
        assert running.cloud.wait(chat.deploy()).ready
        address = running.cloud.endpoint(service)
        assert ask(address) == AWAY
        chat.admit({"app": "chat"})
        assert once_there(address) == ANSWERED


class MeteredCloudRun(CloudRunChat):
    """The chat service with a Firestore database of its own."""

    def __init__(self, cloud: Cloud, requests: int) -> None:
        super().__init__(cloud, runtime_archive().path.read_bytes())
        store = {
            "kind": "firestore",
            "project": self.scope,
            "database": "chat-prod-meter",
            "collection": "meters",
        }
        container = self.service["template"]["containers"][0]
        container["envs"].append({"name": "PORTWAY_METER", "value": meter(store, requests)})
        database = {"name": "chat-prod-meter", "locationId": "europe-west4"}
        self._put("firestore/database:Database", "chat-prod-meter", database)

    def grant(self, role: str) -> None:
        """Give the service's account a role on the database alone."""
        resource = f"projects/{self.scope}/databases/chat-prod-meter"
        condition = {"title": "meter", "expression": f'resource.name == "{resource}"'}
        member = {"role": role, "member": f"serviceAccount:{self.account}", "condition": condition}
        self._put("projects/iAMMember:IAMMember", "meter", member)


def test_firestore_keeps_the_count_of_a_service_that_may_write_to_it(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        chat = MeteredCloudRun(running.cloud, 2)
        chat.grant("roles/datastore.viewer")
        chat.publish()
        key = chat.deploy()
        assert running.cloud.wait(key).ready
        address = running.cloud.endpoint(key)
        assert ask(address) == AWAY
        chat.grant("roles/datastore.user")
        assert once_there(address) == ANSWERED
        assert running.stop(signal.SIGTERM) == 0
        running.start()
        assert running.cloud.wait(key).ready
        assert [ask(address), ask(address)] == [ANSWERED, SPENT]


class MeteredLambda(LambdaChat):
    """The chat service with a DynamoDB table of its own."""

    def __init__(self, cloud: Cloud, requests: int) -> None:
        super().__init__(cloud, runtime_archive().path.read_bytes())
        store = {"kind": "dynamodb", "table": "chat-prod-meter", "region": "eu-west-1"}
        variables = self.function["environment"]["variables"]
        variables["PORTWAY_METER"] = meter(store, requests)
        arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/chat-prod-meter"
        table = {
            "name": "chat-prod-meter",
            "billingMode": "PAY_PER_REQUEST",
            "hashKey": "id",
            "attributes": [{"name": "id", "type": "S"}],
        }
        kind = "aws:dynamodb/table:Table"
        cloud.put("aws", self.scope, kind, "chat-prod-meter", table, {"arn": arn})
        update = {"Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": arn}
        self.statements = [self.invoke_model(), update]


def test_dynamodb_keeps_the_count_of_a_service_that_may_write_to_it(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        chat = MeteredLambda(running.cloud, 2)
        chat.publish()
        key = chat.deploy()
        assert running.cloud.wait(key).ready
        address = running.cloud.endpoint(key)
        assert ask(address) == AWAY
        chat.allow(chat.statements)
        assert once_there(address) == ANSWERED
        assert running.stop(signal.SIGTERM) == 0
        running.start()
        assert running.cloud.wait(key).ready
        assert [ask(address), ask(address)] == [ANSWERED, SPENT]
