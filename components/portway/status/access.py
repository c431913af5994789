"""How the stores are reached: the clouds' own addresses and the user's credentials, or a sandbox's."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from portway.errors import Missing

TOKEN_VARIABLES = ("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN")
PROMETHEUS_VARIABLE = "PORTWAY_PROMETHEUS_URL"
_TOKEN_SECONDS = 30


@dataclass(frozen=True)
class Access:
    """Where the stores answer.

    Attributes:
        monitoring: of Cloud Monitoring.
        firestore: of Firestore.
        google_token: an access token; "" finds the user's own.
        aws: arguments of the AWS SDK's clients, by service: ``endpoint_url`` and credentials.
        prometheus: a Prometheus by kubeconfig context; ``""`` stands for every other one.
        is_sandbox: whether all of it is a sandbox's.
    """

    monitoring: str = "https://monitoring.googleapis.com"
    firestore: str = "https://firestore.googleapis.com"
    google_token: str = ""
    aws: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    prometheus: Mapping[str, str] = field(default_factory=dict[str, str])
    is_sandbox: bool = False

    def token(self) -> str:
        """An access token for Google's APIs.

        Raises:
            Missing: there is none, and no ``gcloud`` to give one.
        """
        if self.google_token:
            return self.google_token
        given = next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), "")
        return given or _gcloud_token()

    def prometheus_of(self, cluster: str) -> str:
        """The address of the Prometheus that scrapes ``cluster``.

        Raises:
            Missing: nobody said where it is.
        """
        found = self.prometheus.get(cluster) or self.prometheus.get("")
        if not found:
            raise Missing(
                f"the signals of cluster {cluster!r} are in its Prometheus, and only you know where that "
                f"is; give --prometheus URL, or set {PROMETHEUS_VARIABLE} (for example to a "
                "`kubectl port-forward` of it)"
            )
        return found.rstrip("/")

    def aws_client(self, service: str, region: str) -> Any:  # noqa: ANN401 - the SDK has no types
        """A client of the AWS SDK.

        Raises:
            Missing: the SDK is not installed.
        """
        try:
            session: Any = import_module("boto3.session")
            config: Any = import_module("botocore.config")
        except ImportError:
            raise Missing(
                "reading CloudWatch and DynamoDB needs the AWS SDK; `pip install boto3`"
            ) from None
        settings = config.Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"total_max_attempts": 3, "mode": "standard"},
        )
        given = self.aws.get(service, {})
        return session.Session().client(service, region_name=region, config=settings, **given)


def _gcloud_token() -> str:
    program = shutil.which("gcloud")
    if program is None:
        raise Missing(
            "reading Google's APIs needs an access token; install gcloud and log in, or set "
            f"{TOKEN_VARIABLES[0]} to one"
        )
    try:
        done = subprocess.run(
            [program, "auth", "print-access-token"],
            capture_output=True, text=True, check=False, timeout=_TOKEN_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Missing("`gcloud auth print-access-token` does not answer; log in again") from None
    if done.returncode != 0:
        raise Missing("`gcloud auth print-access-token` did not succeed; run `gcloud auth login`")
    return done.stdout.strip()
