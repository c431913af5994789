"""Lambda in front of Bedrock as Pulumi resources. Decides nothing: every value is the plan's."""

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws
from pulumi_aws import bedrock, cloudwatch, iam, lambda_, secretsmanager

from portway.bundle import runtime_archive
from portway.deployed import contract_outputs, key_document, make_keys
from portway.targets.lambda_bedrock.guard_resources import (
    POLICY_VERSION,
    account_of,
    make_denial,
    make_guard,
    make_table,
    policy_text,
)
from portway.targets.lambda_bedrock.rest_resources import make_rest_edge
from portway.targets.lambda_bedrock.shapes import (
    Alias,
    Dashboard,
    LambdaBedrockPlan,
    UrlPermission,
)

TYPE = "portway:index:LambdaBedrockService"


class LambdaBedrockService(pulumi.ComponentResource):
    """An inference service on Lambda with Bedrock: function, URL, role, log group, keys, guards."""

    def __init__(
        self, name: str, plan: LambdaBedrockPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TYPE, name, None, opts)
        self.plan = plan
        self._prefix = name
        self._provider = self._own_provider()
        self._child = self._options()
        denials = [make_denial(name, plan, each, self._options) for each in plan.guards]
        self._role = self._make_role(denials)
        keys = make_keys(self, name, plan.keys)
        needed = [self._log_group(), self._policy(), *self._key_secrets(keys)]
        needed += [make_table(name, plan, each, self._options) for each in plan.tables]
        self._function = self._make_function(needed)
        warm = [warmed for alias in plan.aliases for warmed in self._alias(alias)]
        for each, denial in zip(plan.guards, denials, strict=True):
            make_guard(name, plan, each, denial, self._role, self._options)
        for board in plan.dashboards:
            self._dashboard(board)
        edges = [
            make_rest_edge(name, plan, edge, self._function, warm, self._options)
            for edge in plan.rest_edges
        ]
        self.endpoint = edges[0] if edges else self._url(warm)
        self.region = self._function.region
        self.identity = self._role.arn
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _url(self, warm: Sequence[pulumi.Resource]) -> pulumi.Output[str]:
        url = lambda_.FunctionUrl(
            f"{self._prefix}-url",
            function_name=self._function.name,
            qualifier=self.plan.qualifier,
            authorization_type=self.plan.url_auth_type,
            invoke_mode="RESPONSE_STREAM",
            region=self.plan.region,
            opts=self._options(needed=warm),
        )
        allowed = [self._permission(each, url) for each in self.plan.permissions]
        # Callable only with both permissions in place: whoever uses the URL must wait for them.
        ready = pulumi.Output.all(*[permission.id for permission in allowed])
        return pulumi.Output.all(url.function_url, ready).apply(_without_slash)

    def _dashboard(self, planned: Dashboard) -> None:
        cloudwatch.Dashboard(
            f"{self._prefix}-dashboard",
            dashboard_name=planned.name,
            dashboard_body=planned.body,
            region=self.plan.region,
            opts=self._child,
        )

    def _variables(self) -> dict[str, pulumi.Input[str]]:
        """What the plan says, and the ARNs of cost profiles, which Amazon chooses."""
        told: dict[str, pulumi.Input[str]] = dict(self.plan.environment_variables)
        for planned in self.plan.cost_profiles:
            account = self._role.arn.apply(account_of)
            profile = bedrock.InferenceProfile(
                f"{self._prefix}-model",
                name=planned.name,
                description=f"{self.plan.model} for {self.plan.service} in {self.plan.environment}",
                model_source=bedrock.InferenceProfileModelSourceArgs(
                    copy_from=_in_account(planned.copy_from, account)
                ),
                region=self.plan.region,
                tags=self.plan.tags,
                opts=self._child,
            )
            told[planned.variable] = profile.arn
        return told

    def _own_provider(self) -> aws.Provider | None:
        if not self.plan.make_provider:
            return None
        return aws.Provider(
            f"{self._prefix}-aws",
            region=self.plan.region,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _options(self, needed: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        waits = list(needed) or None
        return pulumi.ResourceOptions(parent=self, provider=self._provider, depends_on=waits)

    def _make_role(self, denials: Sequence[iam.Policy]) -> iam.Role:
        trust = {
            "Version": POLICY_VERSION,
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        return iam.Role(
            f"{self._prefix}-role",
            name=self.plan.role_name,
            description=f"{self.plan.service} in {self.plan.environment}",
            assume_role_policy=json.dumps(trust),
            tags=self.plan.tags,
            # AWS Budgets may have attached the denial: the role goes first, and takes it off.
            force_detach_policies=bool(denials),
            opts=self._options(denials),
        )

    def _policy(self) -> pulumi.Resource:
        return iam.RolePolicy(
            f"{self._prefix}-policy",
            name=self.plan.role_name,
            role=self._role.name,
            policy=policy_text(self.plan.statements),
            opts=self._child,
        )

    def _log_group(self) -> pulumi.Resource:
        return cloudwatch.LogGroup(
            f"{self._prefix}-logs",
            name=self.plan.log_group,
            retention_in_days=self.plan.log_retention_days,
            kms_key_id=self.plan.kms_key_arn,
            region=self.plan.region,
            tags=self.plan.tags,
            opts=self._child,
        )

    def _key_secrets(self, keys: list[pulumi.Output[str]]) -> list[pulumi.Resource]:
        document = key_document(keys)
        made: list[pulumi.Resource] = []
        for planned in self.plan.key_secrets:
            secret = secretsmanager.Secret(
                f"{self._prefix}-keys",
                name=planned.name,
                description=f"API keys of {self.plan.service} in {self.plan.environment}",
                recovery_window_in_days=planned.recovery_window_days,
                kms_key_id=self.plan.kms_key_arn,
                region=self.plan.region,
                tags=self.plan.tags,
                opts=self._child,
            )
            made.append(
                secretsmanager.SecretVersion(
                    f"{self._prefix}-keys",
                    secret_id=secret.id,
                    secret_string=document,
                    region=self.plan.region,
                    opts=self._child,
                )
            )
        return made

    def _make_function(self, needed: list[pulumi.Resource]) -> lambda_.Function:
        plan = self.plan
        return lambda_.Function(
            f"{self._prefix}-function",
            name=plan.function_name,
            description=f"{plan.model} for {plan.service} in {plan.environment}",
            role=self._role.arn,
            package_type="Zip",
            code=pulumi.FileArchive(str(runtime_archive().path)),
            runtime=plan.runtime,
            handler=plan.handler,
            architectures=[plan.architecture],
            memory_size=plan.memory_mb,
            timeout=plan.timeout_seconds,
            reserved_concurrent_executions=plan.reserved_concurrency,
            publish=plan.publish,
            environment=lambda_.FunctionEnvironmentArgs(variables=self._variables()),
            kms_key_arn=plan.kms_key_arn,
            logging_config=lambda_.FunctionLoggingConfigArgs(
                log_format="Text", log_group=plan.log_group
            ),
            region=plan.region,
            tags=plan.tags,
            opts=self._options(needed=needed),
        )

    def _alias(self, planned: Alias) -> list[pulumi.Resource]:
        alias = lambda_.Alias(
            f"{self._prefix}-alias",
            name=planned.name,
            function_name=self._function.name,
            function_version=self._function.version,
            region=self.plan.region,
            opts=self._child,
        )
        warm = lambda_.ProvisionedConcurrencyConfig(
            f"{self._prefix}-warm",
            function_name=self._function.name,
            qualifier=alias.name,
            provisioned_concurrent_executions=planned.provisioned,
            region=self.plan.region,
            opts=self._child,
        )
        return [alias, warm]

    def _permission(self, planned: UrlPermission, url: lambda_.FunctionUrl) -> lambda_.Permission:
        return lambda_.Permission(
            f"{self._prefix}-{planned.statement_id}",
            statement_id=planned.statement_id,
            function=self._function.name,
            qualifier=self.plan.qualifier,
            action=planned.action,
            principal=planned.principal,
            function_url_auth_type=planned.url_auth_type,
            invoked_via_function_url=planned.invoked_via_url,
            region=self.plan.region,
            opts=self._options(needed=[url]),
        )


def _without_slash(url_and_ready: list[object]) -> str:
    return str(url_and_ready[0]).rstrip("/")


def _in_account(arn: str, account: pulumi.Output[str]) -> pulumi.Input[str]:
    """``arn`` with the account filled in; a literal stays one, so that previews can judge it."""
    if "{account}" not in arn:
        return arn
    return account.apply(lambda known: arn.replace("{account}", known))
