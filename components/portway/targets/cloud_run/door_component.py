"""The front door as Pulumi resources. Decides nothing: every value comes from the plan."""

import pulumi
from pulumi_gcp import cloudrunv2, serviceaccount

from portway.deployed import contract_outputs, key_document, make_keys, route_document
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from portway.targets.cloud_run.shared_resources import (
    callers,
    code,
    container,
    image_mirror,
    newest_revision,
    secret,
    secret_volume,
)

TYPE = "portway:index:CloudRunDoor"


class CloudRunDoor(pulumi.ComponentResource):
    """A reverse proxy on Cloud Run: its identity, keys, routes, code and image mirror."""

    def __init__(
        self, name: str, plan: CloudRunDoorPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TYPE, name, None, opts)
        self.plan = plan
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._account = serviceaccount.Account(
            f"{name}-identity",
            account_id=plan.account_id,
            project=plan.project,
            display_name=f"the door of {plan.service} in {plan.environment}",
            opts=self._child,
        )
        keys = make_keys(self, name, plan.keys)
        member, child = self._account.member, self._child
        needed = [
            *secret(f"{name}-keys", plan, plan.key_secret, key_document(keys), member, child),
            *secret(
                f"{name}-routes",
                plan,
                plan.route_secret,
                route_document(plan.ends, child),
                member,
                child,
            ),
            *code(name, plan, member, child),
            image_mirror(name, plan, child),
        ]
        self._service = self._run(needed)
        allowed = callers(name, plan, self._service, child)
        # Callable only once a caller is allowed: whoever uses the URL must wait for the bindings.
        ready = pulumi.Output.all(*[caller.id for caller in allowed])
        self.endpoint = pulumi.Output.all(self._service.uri, ready).apply(lambda both: str(both[0]))
        self.region = self._service.location
        self.identity = self._account.email
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _run(self, needed: list[pulumi.Resource]) -> cloudrunv2.Service:
        plan = self.plan
        return cloudrunv2.Service(
            f"{self._prefix}-door",
            name=plan.name,
            project=plan.project,
            location=plan.region,
            labels=plan.labels,
            ingress=plan.ingress,
            launch_stage="GA",
            invoker_iam_disabled=False,
            deletion_protection=plan.deletion_protection,
            scaling=cloudrunv2.ServiceScalingArgs(
                scaling_mode="AUTOMATIC",
                min_instance_count=plan.min_instances,
                max_instance_count=plan.max_instances,
            ),
            template=self._template(),
            traffics=newest_revision(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )

    def _template(self) -> cloudrunv2.ServiceTemplateArgs:
        plan = self.plan
        archive = cloudrunv2.ServiceTemplateVolumeArgs(
            name=plan.code_volume,
            gcs=cloudrunv2.ServiceTemplateVolumeGcsArgs(bucket=plan.code.bucket, read_only=True),
        )
        return cloudrunv2.ServiceTemplateArgs(
            service_account=self._account.email,
            execution_environment="EXECUTION_ENVIRONMENT_GEN2",
            timeout=f"{plan.timeout_seconds}s",
            max_instance_request_concurrency=plan.concurrency,
            session_affinity=False,
            labels=plan.labels,
            volumes=[archive, *map(secret_volume, plan.secret_mounts)],
            containers=[container(plan.container, cpu_idle=True)],
        )
