"""Kubernetes objects that a cluster accepts, to be broken one field at a time."""

from copy import deepcopy
from typing import Any

Object = dict[str, Any]

LABELS = {"app.kubernetes.io/name": "chat"}

RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}

CONTAINER: Object = {
    "name": "runtime",
    "image": "docker.io/library/python@sha256:" + "0" * 64,
    "ports": [{"name": "http", "containerPort": 8080}],
    "securityContext": RESTRICTED,
}


def namespace(name: str = "chat-prod", level: str | None = "restricted") -> Object:
    labels = {} if level is None else {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def deployment(**spec: Any) -> Object:
    """A Deployment of one restricted container; ``spec`` replaces fields of its spec."""
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    wanted = {"selector": {"matchLabels": LABELS}, "template": template, **spec}
    return deepcopy(of("apps/v1", "Deployment", spec=wanted))


def with_pod(**fields: Any) -> Object:
    """The Deployment with ``fields`` set on its pod."""
    obj = deployment()
    obj["spec"]["template"]["spec"] |= fields
    return obj


def with_container(**fields: Any) -> Object:
    """The Deployment with ``fields`` set on its container."""
    return with_pod(containers=[{**CONTAINER, **fields}])


def service(**spec: Any) -> Object:
    return of("v1", "Service", spec={"selector": LABELS, "ports": [{"port": 8080}], **spec})


def of(api_version: str, kind: str, name: str = "chat", **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "chat-prod"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **deepcopy(fields)}
