"""What a plan for Lambda with Bedrock holds: literals, in AWS's own terms."""

from collections.abc import Mapping
from typing import Literal

from portway.spec import Frozen
from portway.target import Plan


class Statement(Frozen):
    """One statement of an IAM policy. ``condition``: operator, then key, then value or values."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str | tuple[str, ...]]] = {}
    effect: Literal["Allow", "Deny"] = "Allow"


class Trust(Frozen):
    """What one service of AWS may do with a resource, on behalf of some things of this account.

    Attributes:
        action: such as ``sts:AssumeRole`` or ``sns:Publish``.
        sources: ARN patterns of those things; ``{account}`` stands for the account, which is known
            only once something is created in it.
    """

    sid: str
    service: str
    action: str
    sources: tuple[str, ...]


class MeterTable(Frozen):
    """The table in which the runtime counts. ``key`` and ``expires``: names of its attributes."""

    name: str
    key: str
    expires: str


class Threshold(Frozen):
    """When a budget tells its subscribers: ``percent`` of it is spent, or is forecast to be."""

    kind: Literal["ACTUAL", "FORECASTED"]
    percent: int


class Alarm(Frozen):
    """A sum of one of Lambda's metrics of the function, at ``least`` in a period of seconds."""

    name: str
    metric: str
    description: str
    least: int
    period_seconds: int


class SpendingStop(Frozen):
    """What AWS Budgets does when the whole budget is spent: denies the model to the function.

    Attributes:
        statement: the denial that is attached to the function's role.
        role_name: of the role that AWS Budgets attaches it with; ``grants`` is all it may do.
    """

    policy_name: str
    statement: Statement
    role_name: str
    trust: Trust
    grants: tuple[Statement, ...]


class SpendingGuard(Frozen):
    """The budget in AWS's own books, who is told of it, and what it stops.

    Attributes:
        limit_usd: a month, as text.
        tag: key and value of the tag by which the stack's costs are told apart.
        bedrock: service and region of costs that carry no tag and are counted with it; empty where
            the account is shared (the budget then does not see them) or a cost profile tags them.
        topic: name of the topic that is told of the budget and of ``alarms``.
        publishers: who may publish to it.
        emails: who is told directly of the budget.
    """

    name: str
    limit_usd: str
    tag: tuple[str, str]
    bedrock: Mapping[str, str]
    thresholds: tuple[Threshold, ...]
    topic: str
    publishers: tuple[Trust, ...]
    emails: tuple[str, ...]
    stop: SpendingStop
    alarms: tuple[Alarm, ...]


class KeySecret(Frozen):
    """The secret that holds the key document."""

    name: str
    recovery_window_days: int


class CostProfile(Frozen):
    """An application inference profile: calls of the model through it carry the stack's tags.

    Attributes:
        copy_from: ARN of the model or the profile it stands for; ``{account}`` as in ``Trust``.
        variable: the function's environment variable that holds its ARN.
    """

    name: str
    copy_from: str
    variable: str


class Throttle(Frozen):
    """What a stage lets in: requests per second, and how many at once before that counts."""

    rate_per_second: int
    burst: int


class Firewall(Frozen):
    """A web ACL that blocks an address with more than ``limit`` requests in ``window_seconds``."""

    name: str
    limit: int
    window_seconds: int


class RestEdge(Frozen):
    """An API Gateway REST API before the function, with streamed answers.

    Attributes:
        stage: its name, the first part of every path.
        authorization: ``NONE`` or ``AWS_IAM``.
        invokers: principals that its resource policy lets in; none where everybody may call it.
        timeout_milliseconds: of the integration.
        throttles: one, or none where the account's own limits count.
        firewalls: one, or none.
    """

    name: str
    stage: str
    authorization: Literal["NONE", "AWS_IAM"]
    invokers: tuple[str, ...]
    timeout_milliseconds: int
    throttles: tuple[Throttle, ...]
    firewalls: tuple[Firewall, ...]


class Dashboard(Frozen):
    """A CloudWatch dashboard of the metrics in ``namespace``; ``body`` as CloudWatch takes it."""

    name: str
    namespace: str
    body: str


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
        qualifier: the alias behind URL or API and permissions, or None.
        permissions: of a function URL; none behind an API, which has one of its own.
        rest_edges: one where an API Gateway REST API is the way in, else none and a function URL is.
        statements: the role's whole policy.
        cost_profiles: one where calls of the model are to carry the stack's tags, else none.
        kms_key_arn: the customer's key for log, secret, table and environment; None: AWS's own.
        dashboards: one where asked for, else none.
        tables: one where the runtime meters, else none.
        guards: one with a budget, else none.
        runtime_sha256: of the deployment package.
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
    rest_edges: tuple[RestEdge, ...]
    statements: tuple[Statement, ...]
    cost_profiles: tuple[CostProfile, ...]
    kms_key_arn: str | None
    dashboards: tuple[Dashboard, ...]
    tables: tuple[MeterTable, ...]
    guards: tuple[SpendingGuard, ...]
    runtime_sha256: str
