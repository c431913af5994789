"""The closed environment: what makes plain ``pulumi`` use the sandbox and nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from portway.engine.engine import Engine

_REMOVED_PREFIXES = (
    "PULUMI_",
    "PORTWAY_",
    "AWS_",
    "GOOGLE_",
    "GCLOUD_",
    "GCP_",
    "CLOUDSDK_",
    "AZURE_",
    "ARM_",
    "KUBE",
    "VAULT_",
)
"""Variables by which a program or a provider could reach a real account or another backend."""

_SWITCHES = (
    "PULUMI_SKIP_UPDATE_CHECK",
    "PULUMI_SKIP_CONFIRMATIONS",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    "PULUMI_DISABLE_REGISTRY_RESOLVE",
    # A stray pulumi-resource-* on PATH would be preferred to the stand-ins.
    "PULUMI_IGNORE_AMBIENT_PLUGINS",
    # A stack file that lost its salt goes on with the one its state remembers.
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER",
    "AWS_EC2_METADATA_DISABLED",
)

_NO_DOWNLOADS = "http://127.0.0.1:9/no-plugin-downloads-in-the-sandbox"
_LOOPBACK = "127.0.0.1,localhost"


class Places(Protocol):
    """The folders of one sandbox; ``portway.sandbox.layout.Layout`` is one."""

    @property
    def root(self) -> Path:
        """The sandbox's own folder."""
        ...

    @property
    def home(self) -> Path:
        """The private PULUMI_HOME."""
        ...

    @property
    def state(self) -> Path:
        """The file backend."""
        ...


def engine_environment(
    places: Places,
    engine: Engine,
    *,
    project: Path | None = None,
    base: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment for the engine and everything it starts.

    Args:
        places: where the sandbox keeps its home and its state; absolute folders.
        engine: put first on PATH.
        project: the mirror to work in (see ``mirror``), whatever folder ``pulumi`` is called from;
            None leaves the choice to the caller's working directory.
        base: what to start from, by default this process's environment. Its cloud credentials,
            profiles and every ``PULUMI_`` variable are left out.
    """
    start = os.environ if base is None else base
    kept = {name: value for name, value in start.items() if not removed(name)}
    environment = {
        **kept,
        "PATH": os.pathsep.join((str(engine.path.parent), kept.get("PATH", os.defpath))),
        "PULUMI_HOME": str(places.home),
        "PULUMI_BACKEND_URL": f"file://{places.state}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        # `package` and `plugin` commands ask for downloads whatever the switches say.
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": f".*={_NO_DOWNLOADS}",
        "PORTWAY_SANDBOX": str(places.root),
        **dict.fromkeys(_SWITCHES, "true"),
        **_nobody(places.root),
        **{name: _with_loopback(kept.get(name, "")) for name in ("NO_PROXY", "no_proxy")},
    }
    if project is not None:
        environment["PULUMI_OPTION_CWD"] = str(project)
    return environment


def removed(name: str) -> bool:
    """Whether the closed environment leaves variable ``name`` of its surroundings out."""
    return name.upper().startswith(_REMOVED_PREFIXES)


def difference(
    closed: Mapping[str, str], base: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What a shell with ``base`` must set, and what it must unset, to have ``closed``."""
    to_set = {name: value for name, value in closed.items() if base.get(name) != value}
    return to_set, tuple(sorted(name for name in base if name not in closed))


def _nobody(root: Path) -> dict[str, str]:
    """Credentials of nobody, and no way to read anybody's."""
    nowhere = root / "no-credentials"
    return {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": str(nowhere / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "aws-credentials"),
        "CLOUDSDK_CONFIG": str(nowhere / "gcloud"),
        "KUBECONFIG": str(root / "kubeconfig"),
    }


def _with_loopback(value: str) -> str:
    return f"{value},{_LOOPBACK}" if value and _LOOPBACK not in value else value or _LOOPBACK
