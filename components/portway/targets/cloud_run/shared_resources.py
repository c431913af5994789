"""What a service and a front door are both made of: code, secrets, images, callers, containers."""

import pulumi
from pulumi_gcp import artifactregistry, cloudrunv2, secretmanager, storage

from portway.bundle import runtime_archive
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from portway.targets.cloud_run.shapes import CloudRunPlan, Container, KeySecret, Probe, SecretMount

READ_BY_ALL = 0o444

AnyPlan = CloudRunPlan | CloudRunDoorPlan


def secret(
    name: str,
    plan: AnyPlan,
    planned: KeySecret,
    document: pulumi.Input[str],
    member: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """A secret called ``name``, its newest version, and who may read it."""
    replica = secretmanager.SecretReplicationUserManagedReplicaArgs(location=planned.location)
    made = secretmanager.Secret(
        name,
        secret_id=planned.secret_id,
        project=plan.project,
        labels=plan.labels,
        replication=secretmanager.SecretReplicationArgs(
            user_managed=secretmanager.SecretReplicationUserManagedArgs(replicas=[replica])
        ),
        opts=opts,
    )
    return [
        secretmanager.SecretVersion(name, secret=made.id, secret_data=document, opts=opts),
        secretmanager.SecretIamMember(
            f"{name}-reader",
            project=plan.project,
            secret_id=made.secret_id,
            role="roles/secretmanager.secretAccessor",
            member=member,
            opts=opts,
        ),
    ]


def code(
    prefix: str, plan: AnyPlan, member: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The runtime's archive in a private bucket of the region, and who may read it."""
    bucket = storage.Bucket(
        f"{prefix}-code",
        name=plan.code.bucket,
        project=plan.project,
        location=plan.region,
        # the archive is less than that; a gate reads it as what is kept here
        labels={**plan.labels, "portway-mib": "1"},
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        force_destroy=True,
        opts=opts,
    )
    return [
        storage.BucketObject(
            f"{prefix}-code",
            name=plan.code.object_name,
            bucket=bucket.name,
            content_type="application/zip",
            source=pulumi.FileAsset(str(runtime_archive().path)),
            opts=opts,
        ),
        bucket_reader(f"{prefix}-code-reader", bucket.name, member, opts),
    ]


def bucket_reader(
    name: str,
    bucket: pulumi.Input[str],
    member: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Lets ``member`` read that one bucket."""
    return storage.BucketIAMMember(
        name, bucket=bucket, role="roles/storage.objectViewer", member=member, opts=opts
    )


def image_mirror(
    prefix: str, plan: AnyPlan, opts: pulumi.ResourceOptions
) -> artifactregistry.Repository:
    """Docker Hub, mirrored in the region."""
    return artifactregistry.Repository(
        f"{prefix}-images",
        repository_id=plan.image_repository,
        project=plan.project,
        location=plan.region,
        format="DOCKER",
        mode="REMOTE_REPOSITORY",
        labels=plan.labels,
        description="Docker Hub, mirrored in the region",
        remote_repository_config=artifactregistry.RepositoryRemoteRepositoryConfigArgs(
            description="Docker Hub",
            docker_repository=artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs(
                public_repository="DOCKER_HUB"
            ),
        ),
        opts=opts,
    )


def callers(
    prefix: str, plan: AnyPlan, service: cloudrunv2.Service, opts: pulumi.ResourceOptions
) -> list[cloudrunv2.ServiceIamMember]:
    """Who may call the service, one binding for each of the plan's invokers."""
    return [
        cloudrunv2.ServiceIamMember(
            f"{prefix}-caller-{number}",
            name=service.name,
            project=plan.project,
            location=plan.region,
            role="roles/run.invoker",
            member=member,
            opts=opts,
        )
        for number, member in enumerate(plan.invokers, start=1)
    ]


def newest_revision() -> list[cloudrunv2.ServiceTrafficArgs]:
    """All traffic on the latest revision, said each time: Cloud Run keeps what is left out."""
    latest = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    return [cloudrunv2.ServiceTrafficArgs(type=latest, percent=100)]


def secret_volume(mount: SecretMount) -> cloudrunv2.ServiceTemplateVolumeArgs:
    """The newest version of a secret, as a file that every user of the container may read."""
    item = cloudrunv2.ServiceTemplateVolumeSecretItemArgs(path=mount.file, version="latest")
    return cloudrunv2.ServiceTemplateVolumeArgs(
        name=mount.volume,
        secret=cloudrunv2.ServiceTemplateVolumeSecretArgs(
            secret=mount.secret_id, default_mode=READ_BY_ALL, items=[item]
        ),
    )


def container(planned: Container, *, cpu_idle: bool) -> cloudrunv2.ServiceTemplateContainerArgs:
    """A container as planned; ``cpu_idle`` where CPU is billed while it answers only."""
    return cloudrunv2.ServiceTemplateContainerArgs(
        name=planned.name,
        image=planned.image,
        commands=list(planned.command) or None,
        args=list(planned.args),
        envs=[
            cloudrunv2.ServiceTemplateContainerEnvArgs(name=name, value=value)
            for name, value in planned.env.items()
        ],
        resources=cloudrunv2.ServiceTemplateContainerResourcesArgs(
            limits=planned.limits, cpu_idle=cpu_idle, startup_cpu_boost=True
        ),
        ports=_ports(planned.port),
        depends_ons=list(planned.depends_on) or None,
        volume_mounts=[
            cloudrunv2.ServiceTemplateContainerVolumeMountArgs(name=name, mount_path=path)
            for name, path in planned.mounts.items()
        ]
        or None,
        startup_probe=_startup(planned.startup_probe),
        liveness_probe=_liveness(planned.liveness_probe),
        readiness_probe=_readiness(planned.readiness_probe),
    )


def _ports(port: int | None) -> cloudrunv2.ServiceTemplateContainerPortsArgs | None:
    if port is None:
        return None
    return cloudrunv2.ServiceTemplateContainerPortsArgs(name="http1", container_port=port)


def _startup(probe: Probe) -> cloudrunv2.ServiceTemplateContainerStartupProbeArgs:
    return cloudrunv2.ServiceTemplateContainerStartupProbeArgs(
        http_get=cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs(
            path=probe.path, port=probe.port
        ),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )


def _liveness(probe: Probe) -> cloudrunv2.ServiceTemplateContainerLivenessProbeArgs:
    return cloudrunv2.ServiceTemplateContainerLivenessProbeArgs(
        http_get=cloudrunv2.ServiceTemplateContainerLivenessProbeHttpGetArgs(
            path=probe.path, port=probe.port
        ),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )


def _readiness(probe: Probe | None) -> cloudrunv2.ServiceTemplateContainerReadinessProbeArgs | None:
    if probe is None:
        return None
    return cloudrunv2.ServiceTemplateContainerReadinessProbeArgs(
        http_get=cloudrunv2.ServiceTemplateContainerReadinessProbeHttpGetArgs(
            path=probe.path, port=probe.port
        ),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )
