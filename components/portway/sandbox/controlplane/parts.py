"""What each program of a control plane is started with. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portway.sandbox.controlplane.programs import Programs

LOOPBACK = "127.0.0.1"
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
CONTEXT = "sandbox"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of one run of the control plane."""

    etcd: int
    etcd_peers: int
    server: int


@dataclass(frozen=True)
class Folder:
    """Where one control plane keeps its things.

    Attributes:
        root: ``.portway/kubernetes``.
    """

    root: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def data(self) -> Path:
        """What etcd keeps: every object of the cluster."""
        return self.root / "etcd"

    @property
    def stages(self) -> Path:
        """What kwok does with nodes."""
        return self.root / "stages.yaml"

    def kubeconfig(self, user: str) -> Path:
        """How one of the parts reaches the API server."""
        return self.root / f"{user}.kubeconfig"

    def pair(self, name: str) -> tuple[str, str]:
        """Certificate and key called ``name``."""
        return str(self.pki / f"{name}.crt"), str(self.pki / f"{name}.key")


def commands(programs: Programs, folder: Folder, ports: Ports) -> dict[str, list[str]]:
    """The command line of every part by its name, in the order in which they are started."""
    return {
        "etcd": [str(programs.etcd), *_flags(_etcd(folder, ports))],
        "kube-apiserver": _part(programs, "kube-apiserver", _server(folder, ports)),
        "kube-controller-manager": _part(programs, "kube-controller-manager", _controllers(folder)),
        "kube-scheduler": _part(programs, "kube-scheduler", _scheduler(folder)),
        "kwok": _part(programs, "kwok", _kwok(folder)),
    }


def kubeconfig(folder: Folder, ports: Ports, user: str) -> dict[str, object]:
    """A kubeconfig for the holder of the pair called ``user``."""
    certificate, key = folder.pair(user)
    cluster = {
        "server": f"https://{LOOPBACK}:{ports.server}",
        "certificate-authority": str(folder.pki / "ca.crt"),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": {"client-certificate": certificate, "client-key": key}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
        "current-context": CONTEXT,
    }


def _part(programs: Programs, name: str, flags: Mapping[str, str]) -> list[str]:
    return [str(programs.controlplane), name, *_flags(flags)]


def _flags(given: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]


def _etcd(folder: Folder, ports: Ports) -> dict[str, str]:
    client, peers = (f"https://{LOOPBACK}:{port}" for port in (ports.etcd, ports.etcd_peers))
    certificate, key = folder.pair("etcd")
    authority = str(folder.pki / "ca.crt")
    return {
        "name": "sandbox",
        "data-dir": str(folder.data),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"sandbox={peers}",
        "cert-file": certificate,
        "key-file": key,
        "trusted-ca-file": authority,
        "client-cert-auth": "true",
        "peer-cert-file": certificate,
        "peer-key-file": key,
        "peer-trusted-ca-file": authority,
        "peer-client-cert-auth": "true",
        "enable-grpc-gateway": "false",
        "auto-compaction-retention": "1",
        # a machine that loses power may lose a sandbox; a killed process loses nothing
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _server(folder: Folder, ports: Ports) -> dict[str, str]:
    certificate, key = folder.pair("apiserver")
    client, client_key = folder.pair("admin")
    authority = str(folder.pki / "ca.crt")
    accounts = str(folder.pki / "service-accounts.key")
    return {
        "etcd-servers": f"https://{LOOPBACK}:{ports.etcd}",
        "etcd-cafile": authority,
        "etcd-certfile": client,
        "etcd-keyfile": client_key,
        "bind-address": LOOPBACK,
        "advertise-address": LOOPBACK,
        "endpoint-reconciler-type": "none",
        "secure-port": str(ports.server),
        "tls-cert-file": certificate,
        "tls-private-key-file": key,
        "client-ca-file": authority,
        "service-account-key-file": accounts,
        "service-account-signing-key-file": accounts,
        "service-account-issuer": ISSUER,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "anonymous-auth": "false",
        "allow-privileged": "true",
        "profiling": "false",
    }


def _controllers(folder: Folder) -> dict[str, str]:
    return {
        "kubeconfig": str(folder.kubeconfig("controller-manager")),
        "root-ca-file": str(folder.pki / "ca.crt"),
        "service-account-private-key-file": str(folder.pki / "service-accounts.key"),
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "secure-port": "0",
        "horizontal-pod-autoscaler-sync-period": "3s",
        "kube-api-qps": "200",
        "kube-api-burst": "400",
    }


def _scheduler(folder: Folder) -> dict[str, str]:
    return {
        "kubeconfig": str(folder.kubeconfig("scheduler")),
        "leader-elect": "false",
        "secure-port": "0",
        # What it could not write while the API server was away it writes when it looks at the pod again,
        # and nothing else makes it: 5 minutes by default.
        "pod-max-in-unschedulable-pods-duration": "10s",
    }


def _kwok(folder: Folder) -> dict[str, str]:
    return {
        "kubeconfig": str(folder.kubeconfig("admin")),
        "config": str(folder.stages),
        "manage-all-nodes": "false",
        "manage-nodes-with-annotation-selector": "kwok.x-k8s.io/node=fake",
        "cidr": PODS,
        "node-ip": "10.0.0.1",
        "node-lease-duration-seconds": "40",
    }
