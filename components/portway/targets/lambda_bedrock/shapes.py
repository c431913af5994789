"""What a plan for Lambda with Bedrock holds: literals, in AWS's own terms."""

from collections.abc import Mapping

from portway.spec import Frozen
from portway.target import Plan


class Statement(Frozen):
    """One ``Allow`` of an IAM policy. ``condition``: operator, then key, then value."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str]] = {}


class KeySecret(Frozen):
    """The secret that holds the key document."""

    name: str
    recovery_window_days: int


class Alias(Frozen):
    """A name for the published version, kept warm by ``provisioned`` environments."""

    name: str
    provisioned: int


class UrlPermission(Frozen):
    """One statement of the function's resource policy.

    Attributes:
        url_auth_type: condition on the URL's own auth type, on the first of each pair.
        invoked_via_url: condition on the call coming through the URL, on the second.
    """

    statement_id: str
    action: str
    principal: str
    url_auth_type: str | None
    invoked_via_url: bool | None


class LambdaBedrockPlan(Plan):
    """A function behind a streaming function URL, and what it may reach.

    Attributes:
        make_provider: no ``aws:region`` is configured, so the component brings a provider of its own.
        tags: on everything that takes tags.
        key_secrets: one with ``auth: api-key``, none with ``auth: iam``.
        environment_variables: all of the function's, known before anything is created.
        timeout_seconds: of the function, a grace above the runtime's own deadline.
        reserved_concurrency: environments at most; each serves one request.
        aliases: one where instances are kept warm, else none and the URL calls ``$LATEST``.
        qualifier: the alias behind URL and permissions, or None.
        statements: the role's whole policy.
        runtime_sha256: of the deployment package.
        notes: what is allowed and still worth knowing before deploying.
    """

    make_provider: bool
    tags: Mapping[str, str]
    function_name: str
    role_name: str
    log_group: str
    log_retention_days: int
    key_secrets: tuple[KeySecret, ...]
    architecture: str
    memory_mb: int
    runtime: str
    handler: str
    environment_variables: Mapping[str, str]
    timeout_seconds: int
    reserved_concurrency: int
    publish: bool
    aliases: tuple[Alias, ...]
    qualifier: str | None
    url_auth_type: str
    permissions: tuple[UrlPermission, ...]
    statements: tuple[Statement, ...]
    runtime_sha256: str
    notes: tuple[str, ...]
