"""The stack's own bucket of weights, and the job that fills it, as Pulumi resources."""

import pulumi
from pulumi_gcp import cloudrunv2, serviceaccount, storage

from portway.targets.cloud_run.shapes import CloudRunPlan, WeightsCopy
from portway.targets.cloud_run.shared_resources import bucket_reader


def weights(
    prefix: str,
    plan: CloudRunPlan,
    member: pulumi.Input[str],
    needed: list[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Bucket, job and permissions; the job ends well before a service that needs them begins.

    Args:
        prefix: of logical names.
        plan: the service.
        member: who reads the weights.
        needed: what the job's container needs, its code and its image.
        opts: their parent.
    """
    return [
        made
        for planned in plan.weights_copies
        for made in _filled(prefix, plan, planned, member, needed, opts)
    ]


def _filled(
    prefix: str,
    plan: CloudRunPlan,
    planned: WeightsCopy,
    member: pulumi.Input[str],
    needed: list[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    bucket = storage.Bucket(
        f"{prefix}-weights",
        name=planned.bucket,
        project=plan.project,
        location=plan.region,
        # what the job will copy; a gate reads it as what is kept here
        labels={**plan.labels, "portway-mib": str(planned.stored_mib)},
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        # public files that the job can copy again: nothing is kept of what was deleted
        soft_delete_policy=storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=0),
        force_destroy=True,
        opts=opts,
    )
    copier = serviceaccount.Account(
        f"{prefix}-copier",
        account_id=planned.account_id,
        project=plan.project,
        display_name=f"copies weights for {plan.service} in {plan.environment}",
        opts=opts,
    )
    allowed = [
        bucket_reader(
            f"{prefix}-copier-code", plan.code.bucket, copier.member, _after(needed, opts)
        ),
        storage.BucketIAMMember(
            f"{prefix}-copier-weights",
            bucket=bucket.name,
            role="roles/storage.objectUser",
            member=copier.member,
            opts=opts,
        ),
    ]
    reader = bucket_reader(f"{prefix}-weights-reader", bucket.name, member, opts)
    return [reader, _job(prefix, plan, planned, copier, _after([*needed, *allowed], opts))]


def _job(
    prefix: str,
    plan: CloudRunPlan,
    planned: WeightsCopy,
    copier: serviceaccount.Account,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """A job with an execution token is there when the execution has succeeded."""
    timeouts = pulumi.CustomTimeouts(create="90m", update="90m", delete="20m")
    return cloudrunv2.Job(
        f"{prefix}-weights",
        name=planned.job,
        project=plan.project,
        location=plan.region,
        labels=plan.labels,
        deletion_protection=False,
        run_execution_token=planned.token,
        template=cloudrunv2.JobTemplateArgs(
            task_count=1,
            parallelism=1,
            labels=plan.labels,
            template=_task(planned, plan.code.bucket, copier.email),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=timeouts)),
    )


def _task(
    planned: WeightsCopy, code_bucket: str, account: pulumi.Input[str]
) -> cloudrunv2.JobTemplateTemplateArgs:
    volume = cloudrunv2.JobTemplateTemplateVolumeArgs(
        name="code",
        gcs=cloudrunv2.JobTemplateTemplateVolumeGcsArgs(bucket=code_bucket, read_only=True),
    )
    container = cloudrunv2.JobTemplateTemplateContainerArgs(
        name="copy",
        image=planned.image,
        commands=list(planned.command),
        args=list(planned.args),
        envs=[
            cloudrunv2.JobTemplateTemplateContainerEnvArgs(name=name, value=value)
            for name, value in planned.env.items()
        ],
        resources=cloudrunv2.JobTemplateTemplateContainerResourcesArgs(limits=planned.limits),
        volume_mounts=[
            cloudrunv2.JobTemplateTemplateContainerVolumeMountArgs(name=name, mount_path=path)
            for name, path in planned.mounts.items()
        ],
    )
    return cloudrunv2.JobTemplateTemplateArgs(
        service_account=account,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        timeout=f"{planned.timeout_seconds}s",
        max_retries=planned.retries,
        volumes=[volume],
        containers=[container],
    )


def _after(needed: list[pulumi.Resource], opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=needed))
