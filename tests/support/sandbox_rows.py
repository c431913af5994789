"""Deployed resources, written to the sandbox's store as the stand-in plugins write them."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portway.sandbox.layout import Layout
from portway.sandbox.store import Key, Row, Status, Store

WEIGHTS = "mistralai/Ministral-3-8B-Instruct-2512"
REVISION = "5b26027e7b19eeb4b7352e1fed3926375dd2cb4d"
MODEL = "ministral-3-8b"
API_KEY = "pw-first"
KEYS = json.dumps({"keys": [API_KEY, "pw-second"]})
PYTHON_IMAGE = "docker.io/library/python@sha256:" + "a" * 64
VLLM_IMAGE = "docker.io/vllm/vllm-openai@sha256:" + "b" * 64
RUNTIME_ENVIRONMENT = {
    "PORTWAY_SERVICE": "chat",
    "PORTWAY_MODEL": MODEL,
    "PORTWAY_MODEL_OWNER": "mistralai",
    "PORTWAY_MODEL_CREATED": "1764633600",
    "PORTWAY_AUTH": "api-key",
    "PORTWAY_CONTEXT_TOKENS": "4096",
    "PORTWAY_MAX_OUTPUT_TOKENS": "512",
    "PORTWAY_MAX_BODY_BYTES": "1048576",
    "PORTWAY_CONCURRENCY": "4",
    "PORTWAY_TIMEOUT_SECONDS": "60",
}
BEHIND_VLLM = {
    **RUNTIME_ENVIRONMENT,
    "PORTWAY_UPSTREAM": "http://127.0.0.1:8000",
    "PORTWAY_UPSTREAM_MODEL": MODEL,
    "PORTWAY_API_KEYS_FILE": "/var/run/portway/keys.json",
}
VLLM_ARGUMENTS = [
    "--model", WEIGHTS, "--revision", REVISION, "--served-model-name", MODEL, "--port", "8000",
    "--max-model-len", "4096", "--max-num-seqs", "4", "--gpu-memory-utilization", "0.90",
]  # fmt: skip


class Cloud:
    """Writes resources and waits for the data plane as a plugin does."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.store = Store(layout.store)

    def put(
        self,
        cloud: str,
        scope: str,
        type_token: str,
        id_: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any] | None = None,
    ) -> Key:
        """Create the resource, or replace what it says."""
        key = Key(cloud, scope, type_token, id_)
        known = {**inputs, **(outputs or {})}
        if not self.store.update(key, inputs, known):
            self.store.create(Row(key, f"urn:{id_}", dict(inputs), known))
        return key

    def keep(self, content: bytes) -> str:
        """Keep a file's content; returns its hash."""
        digest = hashlib.sha256(content).hexdigest()
        folder = self.layout.root / "objects"
        folder.mkdir(exist_ok=True)
        (folder / digest).write_bytes(content)
        return digest

    def endpoint(self, key: Key) -> str:
        return f"http://127.0.0.1:{self.store.port(str(key))}"

    def wait(self, key: Key, seconds: float = 60) -> Status:
        """What the data plane says of the newest generation of ``key``."""
        deadline = time.monotonic() + seconds
        row = self.store.get(key)
        assert row is not None
        while time.monotonic() < deadline:
            status = self.store.status(str(key))
            if status is not None and status.generation >= row.generation:
                return status
            time.sleep(0.05)
        raise AssertionError(f"no status of {key} within {seconds} s")


class CloudRunChat:
    """The chat service on Cloud Run with everything it needs."""

    scope = "acme"
    account = "chat@acme.iam.gserviceaccount.com"

    def __init__(self, cloud: Cloud, runtime: bytes | None = None) -> None:
        self.cloud = cloud
        self.service: dict[str, Any] = self._service()
        member = f"serviceAccount:{self.account}"
        if runtime is not None:
            path = {"bucket": "acme-code", "name": "runtime.pyz"}
            digest = {"__object": cloud.keep(runtime)}
            self._put("storage/bucketObject:BucketObject", "acme-code-runtime.pyz", path, digest)
        self._put(
            "storage/bucketIAMMember:BucketIAMMember", "b/acme-code",
            {"bucket": "acme-code", "role": "roles/storage.objectViewer", "member": member},
        )  # fmt: skip
        self._put(
            "secretmanager/secretIamMember:SecretIamMember", "keys-reader",
            {"secretId": "keys", "role": "roles/secretmanager.secretAccessor", "member": member},
        )  # fmt: skip
        self.rotate(KEYS, 1)

    def rotate(self, document: str, version: int) -> None:
        """Add a version of the key secret."""
        self._put(
            "secretmanager/secretVersion:SecretVersion",
            f"projects/{self.scope}/secrets/keys/versions/{version}",
            {"secret": f"projects/{self.scope}/secrets/keys", "secretData": document},
            {"version": str(version)},
        )

    def publish(self) -> Key:
        """Let everybody invoke the service."""
        inputs = {"name": "chat", "location": "europe-west4", "role": "roles/run.invoker"}
        kind = "cloudrunv2/serviceIamMember:ServiceIamMember"
        return self._put(kind, "chat-public", {**inputs, "member": "allUsers"})

    def deploy(self) -> Key:
        """Create or update the service."""
        id_ = f"projects/{self.scope}/locations/europe-west4/services/chat"
        return self._put("cloudrunv2/service:Service", id_, self.service)

    def _put(
        self,
        kind: str,
        id_: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any] | None = None,
    ) -> Key:
        return self.cloud.put("gcp", self.scope, f"gcp:{kind}", id_, inputs, outputs)

    def _service(self) -> dict[str, Any]:
        runtime = {
            "name": "runtime",
            "image": PYTHON_IMAGE,
            "commands": ["python"],
            "args": ["/opt/portway/runtime.pyz"],
            "envs": [{"name": name, "value": value} for name, value in BEHIND_VLLM.items()],
            "ports": {"containerPort": 8080},
            "dependsOns": ["vllm"],
            "startupProbe": _google_probe("/readyz", 8080),
            "livenessProbe": _google_probe("/healthz", 8080),
            "volumeMounts": [
                {"name": "code", "mountPath": "/opt/portway"},
                {"name": "keys", "mountPath": "/var/run/portway"},
            ],
        }
        vllm = {
            "name": "vllm",
            "image": VLLM_IMAGE,
            "args": VLLM_ARGUMENTS,
            "resources": {"limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}},
            "startupProbe": _google_probe("/health", 8000),
        }
        secret = {"secret": "keys", "items": [{"path": "keys.json", "version": "latest"}]}
        return {
            "name": "chat",
            "location": "europe-west4",
            "project": self.scope,
            "ingress": "INGRESS_TRAFFIC_ALL",
            "scaling": {"minInstanceCount": 0, "maxInstanceCount": 1},
            "template": {
                "serviceAccount": self.account,
                "timeout": "60s",
                "maxInstanceRequestConcurrency": 4,
                "containers": [runtime, vllm],
                "volumes": [
                    {"name": "code", "gcs": {"bucket": "acme-code", "readOnly": True}},
                    {"name": "keys", "secret": secret},
                ],
            },
        }


def one_container(
    service: dict[str, Any], code: str, *, liveness: dict[str, Any] | None = None, **template: Any
) -> dict[str, Any]:
    """``service`` with a single Python container that runs ``code``, listening on ``$PORT``."""
    container: dict[str, Any] = {
        "name": "app",
        "image": PYTHON_IMAGE,
        "commands": ["python"],
        "args": ["-c", code],
        "ports": {"containerPort": 8080},
        "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 30},
    }
    if liveness is not None:
        container["livenessProbe"] = liveness
    changed = {**service["template"], "containers": [container], "volumes": [], **template}
    return {**service, "template": changed}


class LambdaChat:
    """The chat service on Lambda with Bedrock with everything it needs."""

    scope = "123456789012:eu-west-1"
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:chat"
    role_arn = "arn:aws:iam::123456789012:role/chat"
    secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:chat-keys-AbCdEf"
    bedrock_model = "mistral.ministral-3-8b-instruct"

    def __init__(self, cloud: Cloud, package: bytes) -> None:
        self.cloud = cloud
        self.package = package
        self.function: dict[str, Any] = {
            "name": "chat",
            "role": self.role_arn,
            "runtime": "python3.13",
            "handler": "portway_runtime.main.handler",
            "memorySize": 512,
            "timeout": 30,
            "environment": {
                "variables": {
                    **RUNTIME_ENVIRONMENT,
                    "PORTWAY_UPSTREAM": f"bedrock:{self.bedrock_model}",
                    "PORTWAY_API_KEYS_SECRET": "chat-keys",
                    "PORTWAY_CONCURRENCY": "1",
                    "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/run",
                }
            },
        }
        self.url: dict[str, Any] = {
            "functionName": "chat",
            "authorizationType": "NONE",
            "invokeMode": "RESPONSE_STREAM",
        }
        put = cloud.put
        put(
            "aws", self.scope, "aws:iam/role:Role", "chat", {"name": "chat"}, {"arn": self.role_arn}
        )
        self.allow([self.invoke_model()])
        secret = {"name": "chat-keys"}
        put(
            "aws",
            self.scope,
            "aws:secretsmanager/secret:Secret",
            self.secret_arn,
            secret,
            {"arn": self.secret_arn},
        )
        version = {"secretId": self.secret_arn, "secretString": KEYS}
        put(
            "aws",
            self.scope,
            "aws:secretsmanager/secretVersion:SecretVersion",
            "v1",
            version,
            {"versionId": "v1"},
        )

    def invoke_model(self) -> dict[str, Any]:
        """The statement that lets the role call its model."""
        return {
            "Effect": "Allow",
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            "Resource": f"arn:aws:bedrock:eu-west-1::foundation-model/{self.bedrock_model}",
        }

    def allow(self, statements: list[dict[str, Any]]) -> None:
        """Give the role these statements, and its secret."""
        read = {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": self.secret_arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [*statements, read]})
        kind = "aws:iam/rolePolicy:RolePolicy"
        self.cloud.put("aws", self.scope, kind, "chat:chat", {"role": "chat", "policy": policy})

    def permit(self, *actions: str) -> None:
        """Let everybody do ``actions`` through the function URL."""
        conditions: dict[str, dict[str, Any]] = {
            "lambda:InvokeFunctionUrl": {"functionUrlAuthType": "NONE"},
            "lambda:InvokeFunction": {"invokedViaFunctionUrl": True},
        }
        for action in actions:
            inputs = {"function": "chat", "principal": "*", "action": action, **conditions[action]}
            kind = "aws:lambda/permission:Permission"
            self.cloud.put("aws", self.scope, kind, f"chat/{action}", inputs)

    def publish(self) -> None:
        """Give both permissions."""
        self.permit("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")

    def deploy(self) -> Key:
        """Create or update the function and its URL; returns the URL's key."""
        outputs = {"arn": self.arn, "__object": self.cloud.keep(self.package)}
        put = self.cloud.put
        put("aws", self.scope, "aws:lambda/function:Function", "chat", self.function, outputs)
        return put("aws", self.scope, "aws:lambda/functionUrl:FunctionUrl", "chat", self.url)


class KubernetesChat:
    """The chat service on Kubernetes with everything it needs."""

    scope = "prod-eu"

    def __init__(self, cloud: Cloud, runtime: bytes) -> None:
        self.cloud = cloud
        keys = {"metadata": self._meta("keys"), "stringData": {"keys.json": KEYS}}
        self._put("core/v1:Secret", "keys", keys)
        code = {"runtime.pyz": base64.b64encode(runtime).decode()}
        self._put("core/v1:ConfigMap", "code", {"metadata": self._meta("code"), "binaryData": code})
        self.deployment: dict[str, Any] = self._deployment()

    def _meta(self, name: str) -> dict[str, Any]:
        return {"name": name, "namespace": "chat", "labels": {"app": "chat"}}

    def _put(self, kind: str, id_: str, inputs: Mapping[str, Any]) -> Key:
        return self.cloud.put("kubernetes", self.scope, f"kubernetes:{kind}", f"chat/{id_}", inputs)

    def deploy(self) -> Key:
        """Create or update the Deployment."""
        return self._put("apps/v1:Deployment", "chat", self.deployment)

    def expose(self, kind: str = "LoadBalancer") -> Key:
        """Create the Service of that type, or change it."""
        spec = {
            "type": kind,
            "selector": {"app": "chat"},
            "ports": [{"port": 8080, "targetPort": "http"}],
        }
        return self._put("core/v1:Service", "chat", {"metadata": self._meta("chat"), "spec": spec})

    def scale_to_zero(self, cooldown_seconds: int) -> Key:
        """Put a ScaledObject on the Deployment."""
        spec = {
            "scaleTargetRef": {"name": "chat"},
            "minReplicaCount": 0,
            "maxReplicaCount": 2,
            "cooldownPeriod": cooldown_seconds,
        }
        inputs = {"metadata": self._meta("chat"), "spec": spec}
        return self._put("keda.sh/v1alpha1:ScaledObject", "chat", inputs)

    def _deployment(self) -> dict[str, Any]:
        vllm = {
            "name": "vllm",
            "image": VLLM_IMAGE,
            "restartPolicy": "Always",
            "args": VLLM_ARGUMENTS,
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "startupProbe": _kubernetes_probe("/health", 8000, 60),
        }
        runtime = {
            "name": "runtime",
            "image": PYTHON_IMAGE,
            "command": ["python"],
            "args": ["/opt/portway/runtime.pyz"],
            "env": [{"name": name, "value": value} for name, value in BEHIND_VLLM.items()],
            "ports": [{"name": "http", "containerPort": 8080}],
            "startupProbe": _kubernetes_probe("/healthz", "http", 60),
            "readinessProbe": _kubernetes_probe("/readyz", "http", 3),
            "livenessProbe": _kubernetes_probe("/healthz", "http", 3),
            "volumeMounts": [
                {"name": "code", "mountPath": "/opt/portway"},
                {"name": "keys", "mountPath": "/var/run/portway"},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }
        pod: dict[str, Any] = {
            "initContainers": [vllm],
            "containers": [runtime],
            "volumes": [
                {"name": "code", "configMap": {"name": "code"}},
                {"name": "keys", "secret": {"secretName": "keys"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        }
        template: dict[str, Any] = {"metadata": {"labels": {"app": "chat"}}, "spec": pod}
        spec: dict[str, Any] = {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "chat"}},
            "template": template,
        }
        return {"metadata": self._meta("chat"), "spec": spec}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files below ``folder``."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def _google_probe(path: str, port: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": 60,
    }


def _kubernetes_probe(path: str, port: int | str, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": 5,
        "failureThreshold": failures,
    }
