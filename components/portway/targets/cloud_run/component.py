"""The Cloud Run service as Pulumi resources. Decides nothing: every value comes from the plan."""

import pulumi
from pulumi_gcp import cloudrunv2, serviceaccount

from portway.deployed import contract_outputs, key_document, make_keys
from portway.targets.cloud_run.guard_resources import meter_stores, watchers
from portway.targets.cloud_run.shapes import CloudRunPlan
from portway.targets.cloud_run.shared_resources import (
    bucket_reader,
    callers,
    code,
    container,
    image_mirror,
    newest_revision,
    secret,
    secret_volume,
)
from portway.targets.cloud_run.watching_resources import log_homes, signals, uptime_checks
from portway.targets.cloud_run.weights_resources import weights

TYPE = "portway:index:CloudRunService"


class CloudRunService(pulumi.ComponentResource):
    """An inference service on Cloud Run: its identity, keys, code, image mirror and callers."""

    def __init__(
        self, name: str, plan: CloudRunPlan, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TYPE, name, None, opts)
        self.plan = plan
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._account = serviceaccount.Account(
            f"{self._prefix}-identity",
            account_id=plan.account_id,
            project=plan.project,
            display_name=f"{plan.service} in {plan.environment}",
            opts=self._child,
        )
        keys = make_keys(self, name, plan.keys)
        document, member = key_document(keys), self._account.member
        needed = [
            made
            for planned in plan.key_secrets
            for made in secret(f"{name}-keys", plan, planned, document, member, self._child)
        ]
        ours = [*code(name, plan, member, self._child), image_mirror(name, plan, self._child)]
        needed += [*ours, *weights(name, plan, member, ours, self._child)]
        needed += [
            bucket_reader(f"{name}-weights-reader-{number}", bucket, member, self._child)
            for number, bucket in enumerate(plan.weight_buckets, start=1)
        ]
        needed += meter_stores(name, plan, member, self._child)
        needed += log_homes(name, plan, self._child)
        self._service = self._run(needed)
        allowed = callers(name, plan, self._service, self._child)
        signals(name, plan, self._child)
        channels = watchers(name, plan, self._child)
        uptime_checks(name, plan, self._service, channels, self._child)
        # Callable only once a caller is allowed: whoever uses the URL must wait for the bindings.
        ready = pulumi.Output.all(self._service.id, *[caller.id for caller in allowed])
        address = self._service.uri if plan.hostname is None else f"https://{plan.hostname}"
        self.endpoint = pulumi.Output.all(address, ready).apply(lambda both: str(both[0]))
        self.region = self._service.location
        self.identity = self._account.email
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _run(self, needed: list[pulumi.Resource]) -> cloudrunv2.Service:
        plan = self.plan
        return cloudrunv2.Service(
            f"{self._prefix}-service",
            name=plan.name,
            project=plan.project,
            location=plan.region,
            labels=plan.labels,
            ingress=plan.ingress,
            launch_stage="GA",
            default_uri_disabled=plan.hostname is not None,
            custom_audiences=list(plan.audiences) or None,
            invoker_iam_disabled=plan.invoker_iam_disabled,
            deletion_protection=plan.deletion_protection,
            scaling=cloudrunv2.ServiceScalingArgs(
                scaling_mode="AUTOMATIC",
                min_instance_count=plan.min_instances,
                max_instance_count=plan.max_instances,
            ),
            template=self._template(),
            traffics=newest_revision(),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=needed,
                # The provider's own 20 minutes are shorter than a GPU's startup budget.
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="20m"),
            ),
        )

    def _template(self) -> cloudrunv2.ServiceTemplateArgs:
        plan = self.plan
        buckets = [
            cloudrunv2.ServiceTemplateVolumeArgs(
                name=mount.volume,
                gcs=cloudrunv2.ServiceTemplateVolumeGcsArgs(
                    bucket=mount.bucket, read_only=True, mount_options=list(mount.options) or None
                ),
            )
            for mount in plan.bucket_mounts
        ]
        return cloudrunv2.ServiceTemplateArgs(
            service_account=self._account.email,
            execution_environment="EXECUTION_ENVIRONMENT_GEN2",
            timeout=f"{plan.timeout_seconds}s",
            max_instance_request_concurrency=plan.concurrency,
            session_affinity=plan.session_affinity,
            labels=plan.labels,
            node_selector=cloudrunv2.ServiceTemplateNodeSelectorArgs(accelerator=plan.accelerator),
            gpu_zonal_redundancy_disabled=plan.gpu_zonal_redundancy_disabled,
            vpc_access=_vpc_access(plan),
            volumes=[*buckets, *map(secret_volume, plan.secret_mounts)],
            containers=[container(planned, cpu_idle=False) for planned in plan.containers],
        )


def _vpc_access(plan: CloudRunPlan) -> cloudrunv2.ServiceTemplateVpcAccessArgs | None:
    for one in plan.interfaces:
        interface = cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArgs(
            network=one.network, subnetwork=one.subnetwork, tags=list(one.tags) or None
        )
        return cloudrunv2.ServiceTemplateVpcAccessArgs(
            egress=one.egress, network_interfaces=[interface]
        )
    return None
