"""The closed environment."""

from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portway.engine.engine import Engine, Origin
from portway.engine.environment import difference, engine_environment
from portway.engine.version import BUILT


@dataclass(frozen=True)
class Here:
    root: Path = Path("/p/.portway")
    home: Path = Path("/p/.portway/home")
    state: Path = Path("/p/.portway/state")


ENGINE = Engine(Path("/cache/engine/bin/pulumi"), BUILT, Origin.BUILT)

REAL = {
    "PULUMI_ACCESS_TOKEN": "pul-secret",
    "PULUMI_STACK": "real",
    "PULUMI_BACKEND_URL": "s3://real",
    "PULUMI_DEBUG_PROVIDERS": "aws:1234",
    "AWS_PROFILE": "prod",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
    "GOOGLE_OAUTH_ACCESS_TOKEN": "secret",
    "CLOUDSDK_CORE_PROJECT": "prod",
    "AZURE_CLIENT_SECRET": "secret",
    "KUBECONFIG": "/home/me/.kube/config",
}


def test_the_environment_is_exactly_this() -> None:
    base = {"PATH": "/usr/bin", "HOME": "/home/me", "LANG": "C.UTF-8", **REAL}
    assert engine_environment(Here(), ENGINE, project=Path("/p/.portway/project"), base=base) == {
        "PATH": "/cache/engine/bin:/usr/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "PULUMI_HOME": "/p/.portway/home",
        "PULUMI_BACKEND_URL": "file:///p/.portway/state",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_OPTION_CWD": "/p/.portway/project",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": (
            ".*=http://127.0.0.1:9/no-plugin-downloads-in-the-sandbox"
        ),
        "PORTWAY_SANDBOX": "/p/.portway",
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": "/p/.portway/no-credentials/aws-config",
        "AWS_SHARED_CREDENTIALS_FILE": "/p/.portway/no-credentials/aws-credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CLOUDSDK_CONFIG": "/p/.portway/no-credentials/gcloud",
        "KUBECONFIG": "/p/.portway/kubeconfig",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


@given(st.sets(st.sampled_from(sorted(REAL))))
def test_no_value_of_a_real_account_comes_through(names: set[str]) -> None:
    base = {name: f"real-{name}" for name in names}
    closed = engine_environment(Here(), ENGINE, base=base)
    assert not set(base.values()) & set(closed.values())


def test_an_existing_no_proxy_keeps_its_hosts() -> None:
    closed = engine_environment(Here(), ENGINE, base={"NO_PROXY": "intranet"})
    assert closed["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    again = engine_environment(Here(), ENGINE, base=closed)
    assert again["NO_PROXY"] == closed["NO_PROXY"]


def test_a_shell_is_told_what_to_set_and_what_to_unset() -> None:
    base = {"PATH": "/usr/bin", "AWS_PROFILE": "prod", "HOME": "/home/me"}
    to_set, to_unset = difference({"PATH": "/e:/usr/bin", "HOME": "/home/me", "A": "1"}, base)
    assert to_set == {"PATH": "/e:/usr/bin", "A": "1"}
    assert to_unset == ("AWS_PROFILE",)
