"""The Cloud Run service as Pulumi resources. Decides nothing: every value comes from the plan."""

import pulumi
from pulumi_gcp import artifactregistry, cloudrunv2, secretmanager, serviceaccount, storage

from portway.bundle import runtime_archive
from portway.deployed import contract_outputs, key_document, make_keys
from portway.targets.cloud_run.guard_resources import meter_stores, watchers
from portway.targets.cloud_run.shapes import CloudRunPlan, Container, SecretMount
from portway.targets.cloud_run.watching_resources import log_homes, signals, uptime_checks

TYPE = "portway:index:CloudRunService"
READ_BY_ALL = 0o444


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
        needed = [*self._key_secrets(keys), *self._code(), self._image_mirror()]
        needed += [
            self._weights_reader(number, bucket)
            for number, bucket in enumerate(plan.weight_buckets, start=1)
        ]
        needed += meter_stores(name, plan, self._account.member, self._child)
        needed += log_homes(name, plan, self._child)
        self._service = self._run(needed)
        callers = [self._caller(number, who) for number, who in enumerate(plan.invokers, start=1)]
        signals(name, plan, self._child)
        channels = watchers(name, plan, self._child)
        uptime_checks(name, plan, self._service, channels, self._child)
        # Callable only once a caller is allowed: whoever uses the URL must wait for the bindings.
        ready = pulumi.Output.all(self._service.id, *[caller.id for caller in callers])
        address = self._service.uri if plan.hostname is None else f"https://{plan.hostname}"
        self.endpoint = pulumi.Output.all(address, ready).apply(lambda both: str(both[0]))
        self.region = self._service.location
        self.identity = self._account.email
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _key_secrets(self, keys: list[pulumi.Output[str]]) -> list[pulumi.Resource]:
        document = key_document(keys)
        made: list[pulumi.Resource] = []
        for planned in self.plan.key_secrets:
            replica = secretmanager.SecretReplicationUserManagedReplicaArgs(
                location=planned.location
            )
            secret = secretmanager.Secret(
                f"{self._prefix}-keys",
                secret_id=planned.secret_id,
                project=self.plan.project,
                labels=self.plan.labels,
                replication=secretmanager.SecretReplicationArgs(
                    user_managed=secretmanager.SecretReplicationUserManagedArgs(replicas=[replica])
                ),
                opts=self._child,
            )
            made += [
                secretmanager.SecretVersion(
                    f"{self._prefix}-keys", secret=secret.id, secret_data=document, opts=self._child
                ),
                secretmanager.SecretIamMember(
                    f"{self._prefix}-keys-reader",
                    project=self.plan.project,
                    secret_id=secret.secret_id,
                    role="roles/secretmanager.secretAccessor",
                    member=self._account.member,
                    opts=self._child,
                ),
            ]
        return made

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

    def _weights_reader(self, number: int, bucket: str) -> pulumi.Resource:
        return storage.BucketIAMMember(
            f"{self._prefix}-weights-reader-{number}",
            bucket=bucket,
            role="roles/storage.objectViewer",
            member=self._account.member,
            opts=self._child,
        )

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
            traffics=[
                cloudrunv2.ServiceTrafficArgs(
                    type="TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent=100
                )
            ],
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
            volumes=[*buckets, *map(_secret_volume, plan.secret_mounts)],
            containers=[_container(container) for container in plan.containers],
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


def _vpc_access(plan: CloudRunPlan) -> cloudrunv2.ServiceTemplateVpcAccessArgs | None:
    for one in plan.interfaces:
        interface = cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArgs(
            network=one.network, subnetwork=one.subnetwork, tags=list(one.tags) or None
        )
        return cloudrunv2.ServiceTemplateVpcAccessArgs(
            egress=one.egress, network_interfaces=[interface]
        )
    return None


def _secret_volume(mount: SecretMount) -> cloudrunv2.ServiceTemplateVolumeArgs:
    item = cloudrunv2.ServiceTemplateVolumeSecretItemArgs(path=mount.file, version="latest")
    return cloudrunv2.ServiceTemplateVolumeArgs(
        name=mount.volume,
        secret=cloudrunv2.ServiceTemplateVolumeSecretArgs(
            secret=mount.secret_id, default_mode=READ_BY_ALL, items=[item]
        ),
    )


def _container(container: Container) -> cloudrunv2.ServiceTemplateContainerArgs:
    startup, liveness = container.startup_probe, container.liveness_probe
    return cloudrunv2.ServiceTemplateContainerArgs(
        name=container.name,
        image=container.image,
        commands=list(container.command) or None,
        args=list(container.args),
        envs=[
            cloudrunv2.ServiceTemplateContainerEnvArgs(name=name, value=value)
            for name, value in container.env.items()
        ],
        resources=cloudrunv2.ServiceTemplateContainerResourcesArgs(
            limits=container.limits, cpu_idle=False, startup_cpu_boost=True
        ),
        ports=_ports(container),
        depends_ons=list(container.depends_on) or None,
        volume_mounts=[
            cloudrunv2.ServiceTemplateContainerVolumeMountArgs(name=name, mount_path=path)
            for name, path in container.mounts.items()
        ]
        or None,
        startup_probe=cloudrunv2.ServiceTemplateContainerStartupProbeArgs(
            http_get=cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs(
                path=startup.path, port=startup.port
            ),
            period_seconds=startup.period_seconds,
            timeout_seconds=startup.timeout_seconds,
            failure_threshold=startup.failure_threshold,
        ),
        liveness_probe=cloudrunv2.ServiceTemplateContainerLivenessProbeArgs(
            http_get=cloudrunv2.ServiceTemplateContainerLivenessProbeHttpGetArgs(
                path=liveness.path, port=liveness.port
            ),
            period_seconds=liveness.period_seconds,
            timeout_seconds=liveness.timeout_seconds,
            failure_threshold=liveness.failure_threshold,
        ),
        readiness_probe=_readiness(container),
    )


def _ports(container: Container) -> cloudrunv2.ServiceTemplateContainerPortsArgs | None:
    if container.port is None:
        return None
    return cloudrunv2.ServiceTemplateContainerPortsArgs(name="http1", container_port=container.port)


def _readiness(
    container: Container,
) -> cloudrunv2.ServiceTemplateContainerReadinessProbeArgs | None:
    probe = container.readiness_probe
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
