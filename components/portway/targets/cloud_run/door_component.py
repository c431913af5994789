"""The front door as Pulumi resources. Decides nothing: every value comes from the plan."""

import json

import pulumi
from pulumi_gcp import artifactregistry, cloudrunv2, secretmanager, serviceaccount, storage

from portway.bundle import runtime_archive
from portway.deployed import contract_outputs, key_document, make_keys
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from portway.targets.cloud_run.shapes import KeySecret, Probe, SecretMount

TYPE = "portway:index:CloudRunDoor"
READ_BY_ALL = 0o444


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
        needed = [
            *self._secret("keys", plan.key_secret, key_document(keys)),
            *self._secret("routes", plan.route_secret, self._routes()),
            *self._code(),
            self._image_mirror(),
        ]
        self._service = self._run(needed)
        callers = [self._caller(number, who) for number, who in enumerate(plan.invokers, start=1)]
        # Callable only once a caller is allowed: whoever uses the URL must wait for the bindings.
        ready = pulumi.Output.all(*[caller.id for caller in callers])
        self.endpoint = pulumi.Output.all(self._service.uri, ready).apply(lambda both: str(both[0]))
        self.region = self._service.location
        self.identity = self._account.email
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _routes(self) -> pulumi.Output[str]:
        """The route document. Only ends with a weight are looked up: others may be gone."""
        weights = {end.stack: end.weight for end in self.plan.ends}
        found = {
            end.stack: _looked_up(end.stack, self._child)
            for end in self.plan.ends
            if end.weight > 0
        }
        ends = pulumi.Output.all(**found)
        return pulumi.Output.secret(
            ends.apply(
                lambda known: json.dumps({"weights": weights, "ends": known}, sort_keys=True)
            )
        )

    def _secret(
        self, role: str, planned: KeySecret, document: pulumi.Output[str]
    ) -> list[pulumi.Resource]:
        replica = secretmanager.SecretReplicationUserManagedReplicaArgs(location=planned.location)
        secret = secretmanager.Secret(
            f"{self._prefix}-{role}",
            secret_id=planned.secret_id,
            project=self.plan.project,
            labels=self.plan.labels,
            replication=secretmanager.SecretReplicationArgs(
                user_managed=secretmanager.SecretReplicationUserManagedArgs(replicas=[replica])
            ),
            opts=self._child,
        )
        return [
            secretmanager.SecretVersion(
                f"{self._prefix}-{role}", secret=secret.id, secret_data=document, opts=self._child
            ),
            secretmanager.SecretIamMember(
                f"{self._prefix}-{role}-reader",
                project=self.plan.project,
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=self._account.member,
                opts=self._child,
            ),
        ]

    def _code(self) -> list[pulumi.Resource]:
        bucket = storage.Bucket(
            f"{self._prefix}-code",
            name=self.plan.code.bucket,
            project=self.plan.project,
            location=self.plan.region,
            # the archive is less than that; a gate reads it as what is kept here
            labels={**self.plan.labels, "portway-mib": "1"},
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            force_destroy=True,
            opts=self._child,
        )
        return [
            storage.BucketObject(
                f"{self._prefix}-code",
                name=self.plan.code.object_name,
                bucket=bucket.name,
                content_type="application/zip",
                source=pulumi.FileAsset(str(runtime_archive().path)),
                opts=self._child,
            ),
            storage.BucketIAMMember(
                f"{self._prefix}-code-reader",
                bucket=bucket.name,
                role="roles/storage.objectViewer",
                member=self._account.member,
                opts=self._child,
            ),
        ]

    def _image_mirror(self) -> pulumi.Resource:
        return artifactregistry.Repository(
            f"{self._prefix}-images",
            repository_id=self.plan.image_repository,
            project=self.plan.project,
            location=self.plan.region,
            format="DOCKER",
            mode="REMOTE_REPOSITORY",
            labels=self.plan.labels,
            description="Docker Hub, mirrored in the region",
            remote_repository_config=artifactregistry.RepositoryRemoteRepositoryConfigArgs(
                description="Docker Hub",
                docker_repository=artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs(
                    public_repository="DOCKER_HUB"
                ),
            ),
            opts=self._child,
        )

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
            traffics=[
                cloudrunv2.ServiceTrafficArgs(
                    type="TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent=100
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )

    def _template(self) -> cloudrunv2.ServiceTemplateArgs:
        plan = self.plan
        code = cloudrunv2.ServiceTemplateVolumeArgs(
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
            volumes=[code, *map(_secret_volume, plan.secret_mounts)],
            containers=[self._container()],
        )

    def _container(self) -> cloudrunv2.ServiceTemplateContainerArgs:
        container = self.plan.container
        return cloudrunv2.ServiceTemplateContainerArgs(
            name=container.name,
            image=container.image,
            commands=list(container.command),
            args=list(container.args),
            envs=[
                cloudrunv2.ServiceTemplateContainerEnvArgs(name=name, value=value)
                for name, value in container.env.items()
            ],
            resources=cloudrunv2.ServiceTemplateContainerResourcesArgs(
                limits=container.limits, cpu_idle=True, startup_cpu_boost=True
            ),
            ports=cloudrunv2.ServiceTemplateContainerPortsArgs(
                name="http1", container_port=container.port or 0
            ),
            volume_mounts=[
                cloudrunv2.ServiceTemplateContainerVolumeMountArgs(name=name, mount_path=path)
                for name, path in container.mounts.items()
            ],
            startup_probe=_startup(container.startup_probe),
            liveness_probe=_liveness(container.liveness_probe),
            readiness_probe=_readiness(container.readiness_probe),
        )

    def _caller(self, number: int, member: str) -> cloudrunv2.ServiceIamMember:
        return cloudrunv2.ServiceIamMember(
            f"{self._prefix}-caller-{number}",
            name=self._service.name,
            project=self.plan.project,
            location=self.plan.region,
            role="roles/run.invoker",
            member=member,
            opts=self._child,
        )


def _looked_up(stack: str, opts: pulumi.ResourceOptions) -> pulumi.Output[dict[str, str]]:
    """Address and key of an end, as its own stack has them."""
    full = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    found = pulumi.StackReference(full, opts=opts)
    return pulumi.Output.all(
        url=found.require_output("endpoint"), key=found.require_output("apiKey")
    )


def _secret_volume(mount: SecretMount) -> cloudrunv2.ServiceTemplateVolumeArgs:
    item = cloudrunv2.ServiceTemplateVolumeSecretItemArgs(path=mount.file, version="latest")
    return cloudrunv2.ServiceTemplateVolumeArgs(
        name=mount.volume,
        secret=cloudrunv2.ServiceTemplateVolumeSecretArgs(
            secret=mount.secret_id, default_mode=READ_BY_ALL, items=[item]
        ),
    )


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
