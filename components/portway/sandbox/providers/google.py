"""The embedded Google Cloud: project scope, ids and attributes, and Google's own error texts."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from portway.sandbox.faults import FaultKind
from portway.sandbox.providers import (
    google_guards,
    google_jobs,
    google_network,
    google_outages,
    google_run,
    google_secrets,
    google_storage,
    google_watching,
)
from portway.sandbox.providers.behaviour import Behaviour, Deployed, object_at
from portway.sandbox.providers.cloud import (
    Cloud,
    CloudError,
    Code,
    Failure,
    Outage,
    Request,
    State,
)
from portway.sandbox.providers.differences import Difference, Kind
from portway.sandbox.providers.schema import ResourceType
from portway.sandbox.providers.stored import StoredCloud
from portway.sandbox.providers.type_facts import TypeFacts
from portway.sandbox.providers.wire import UNKNOWN, Json
from portway.sandbox.store import Key, Store

_PROJECT_VARIABLES = (
    "GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT",
)  # fmt: skip
_SERVICES = {
    "cloudrunv2": "run",
    "cloudrun": "run",
    "serviceaccount": "iam",
    "projects": "cloudresourcemanager",
}
_FULL_NAMES = ("__id", "name", "secret", "secretId", "bucket", "repository", "topic", "keyRing")


class GoogleCloud(StoredCloud):
    """One Google provider: names collide inside a project."""

    package = "gcp"
    table = "google"
    lower_names = True
    behaviours: ClassVar[Mapping[str, Behaviour]] = {
        **google_guards.BEHAVIOURS,
        **google_jobs.BEHAVIOURS,
        **google_network.BEHAVIOURS,
        **google_run.BEHAVIOURS,
        **google_secrets.BEHAVIOURS,
        **google_storage.BEHAVIOURS,
        **google_watching.BEHAVIOURS,
    }

    def check_config(self, config: Json) -> list[Failure]:
        """Unknown settings are refused, as a misspelt one would otherwise be ignored."""
        return self.unknown_settings(config)

    def project(self, inputs: Json) -> str:
        """The project of a resource: its own, the provider's, or the environment's; "" for none."""
        named = (os.environ.get(name) for name in _PROJECT_VARIABLES)
        found = inputs.get("project") or self.config.get("project") or next(filter(None, named), "")
        return str(found)

    def scope(self, type_token: str, inputs: Json) -> str:
        """The project; buckets share one namespace with the whole world, budgets are an account's."""
        if type_token in (google_storage.BUCKET, google_guards.BUDGET):
            return "global"
        return self._owner(inputs) or self.project(inputs)

    def values(self, type_token: str, inputs: Json) -> Json:
        """Project, its number, and places that default to the provider's."""
        del type_token
        project = self._owner(inputs) or self.project(inputs)
        region = inputs.get("region") or self.config.get("region")
        known: Json = {
            "project": project,
            "number": project_number(project),
            "region": region,
            "location": inputs.get("location") or region,
            "zone": inputs.get("zone") or self.config.get("zone"),
            "secret": _last(inputs.get("secret") or inputs.get("secretId")),
        }
        if "role" in inputs and "member" in inputs:
            known["name"] = _last(inputs.get("name"))
        return known

    def ambient(self, declared: ResourceType, inputs: Json) -> Json:
        """Project, place and labels as Google reports them."""
        values = self.values(declared.token, inputs)
        known: Json = {
            field: values[field]
            for field in ("project", "location", "region", "zone")
            if field in declared.inputs and inputs.get(field) is None and values.get(field)
        }
        if "effectiveLabels" in declared.outputs:
            labels = object_at(inputs, "labels")
            known["pulumiLabels"] = labels
            known["effectiveLabels"] = {**labels, "goog-pulumi-provisioned": "true"}
        return known

    def diff(self, request: Request) -> Difference:
        """What every cloud compares; and a resource whose project came from the provider moves with it."""
        found = super().diff(request)
        was, now = request.old_outputs.get("project"), self.project(request.inputs)
        if request.inputs.get("project") is None and was and now and was != now:
            return replace(
                found,
                changed={**found.changed, "project": Kind.UPDATE},
                replacing=found.replacing | {"project"},
            )
        return found

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """What every cloud checks, and names that Google would not take."""
        inputs, failures = super().check(request)
        account = inputs.get("accountId")
        if request.type == "gcp:serviceaccount/account:Account" and isinstance(account, str):
            wanted = r"^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$"
            if account != UNKNOWN and not re.fullmatch(wanted, account):
                text = f'"account_id" ("{account}") doesn\'t match regexp "{wanted}"'
                failures.append(Failure("accountId", text))
        return inputs, failures

    def create(self, request: Request) -> State:
        """As every cloud does, but never without a project."""
        if request.type != google_storage.BUCKET and not self.scope(request.type, request.inputs):
            raise CloudError(Code.INVALID_ARGUMENT, "project: required field is not set")
        return super().create(request)

    def other_facts(self, declared: ResourceType) -> TypeFacts:
        """An id and a link in Google's style, from where the resource is and what it is called."""
        places = declared.inputs.keys()
        where = "global"
        for name, collection in (
            ("zone", "zones"),
            ("region", "regions"),
            ("location", "locations"),
        ):
            if name in places:
                where = f"{collection}/{{{name}}}"
        if "role" in places and "member" in places:
            return TypeFacts(id="", outputs={"etag": "BwY{hex:9}="}, name="")
        if "name" not in places:
            return TypeFacts()
        module, _, kind = declared.token.split(":")[1].partition("/")
        id_ = f"projects/{{project}}/{where}/{kind}s/{{name}}"
        service = _SERVICES.get(module, module)
        link = f"https://{service}.googleapis.com/v1/{id_}"
        outputs = {"selfLink": link} if "selfLink" in declared.outputs else {}
        text = f"Error creating {kind[:1].upper()}{kind[1:]}: googleapi: Error 409: Resource '{id_}' already exists."
        return TypeFacts(id=id_, outputs=outputs, exists=text)

    def missing(self, request: Request) -> CloudError:
        """Google's 404."""
        text = f"googleapi: Error 404: Resource '{request.id}' was not found, notFound"
        return CloudError(Code.NOT_FOUND, text)

    def unready(self, deployed: Deployed, problem: str, *, timed_out: bool = False) -> str:
        """Google's sentence for a revision that does not start, or an execution that fails."""
        verb = "update" if deployed.before else "create"
        kind = deployed.key.type.rsplit(":", 1)[-1]
        if timed_out:
            return (
                f"Error waiting to {verb} {kind}: timeout while waiting for state to become "
                f"'done: true' (last state: 'done: false', {problem})"
            )
        # of a revision that runs here, its own sentence names it already
        named = deployed.key.type == google_jobs.JOB or problem.startswith("Revision '")
        revision = (
            f"Revision '{google_run.revision(deployed)}' is not ready and cannot serve traffic. "
        )
        return f"Error waiting to {verb} {kind}: Error code 9, message: {'' if named else revision}{problem}"

    def accepts_id(self, key: Key, given: str) -> bool:
        """Google's ids may be given without their collections: ``project/location/name``, ``name``."""
        values = key.id.split("/")[1::2] if key.id.startswith("projects/") else [key.id]
        return given in {"/".join(values[start:]) for start in range(len(values))}

    def denied(self, operation: str, request: Request) -> CloudError:
        """A caller without the permission."""
        module, _, kind = request.type.split(":")[1].partition("/")
        service = _SERVICES.get(module, module)
        verb = {"read": "get"}.get(operation, operation)
        text = (
            f"Error {operation[:-1]}ing {request.type.rsplit(':', 1)[-1]}: googleapi: Error 403: "
            f"Permission '{service}.{kind}s.{verb}' denied on resource "
            f"'//{service}.googleapis.com/projects/{self.project(request.inputs)}' (or resource may not exist)., forbidden"
        )
        return CloudError(Code.PERMISSION_DENIED, text)

    def over_quota(self, operation: str, request: Request) -> CloudError:
        """A used-up quota."""
        name = request.type.rsplit(":", 1)[-1]
        if request.type == google_run.SERVICE:
            text = "Quota exceeded for total allowable CPU per project per region."
        else:
            module = request.type.split(":")[1].split("/")[0]
            service = _SERVICES.get(module, module)
            text = (
                f"Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute' of "
                f"service '{service}.googleapis.com' for consumer 'project_number:{project_number(self.project(request.inputs))}'."
            )
        message = f"Error {operation[:-1]}ing {name}: googleapi: Error 429: {text}"
        return CloudError(Code.RESOURCE_EXHAUSTED, message)

    def expired(self, operation: str, request: Request) -> CloudError:
        """A login that has ended."""
        return google_outages.expired(operation, request)

    def outage(self, kind: FaultKind, operation: str, request: Request) -> Outage:
        """An API that is away: statuses are tried again, a refused connection is not."""
        where = f"projects/{self.project(request.inputs)}"
        return google_outages.outage(kind, operation, request, where)

    def invoke(self, token: str, args: Json) -> Json:
        """What a program commonly looks up about its project."""
        project = self.project(args) or self.project({})
        region = args.get("region") or self.config.get("region") or ""
        zone = args.get("zone") or self.config.get("zone") or ""
        number = project_number(project)
        answers: dict[str, Json] = {
            "gcp:organizations/getProject:getProject": {
                "id": f"projects/{args.get('projectId') or project}",
                "projectId": args.get("projectId") or project,
                "name": args.get("projectId") or project,
                "number": project_number(str(args.get("projectId") or project)),
                "billingAccount": "", "folderId": "", "orgId": "", "labels": {}, "effectiveLabels": {},
                "pulumiLabels": {}, "autoCreateNetwork": True, "deletionPolicy": "PREVENT", "tags": {},
            },
            "gcp:organizations/getClientConfig:getClientConfig": {
                "id": f"projects/{project}/regions/{region}/zones/{zone}",
                "project": project, "region": region, "zone": zone,
                "accessToken": "sandbox", "defaultLabels": {},
            },
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {
                "id": f"service-{number}@gs-project-accounts.iam.gserviceaccount.com",
                "emailAddress": f"service-{number}@gs-project-accounts.iam.gserviceaccount.com",
                "member": f"serviceAccount:service-{number}@gs-project-accounts.iam.gserviceaccount.com",
                "project": project,
            },
            "gcp:compute/getDefaultServiceAccount:getDefaultServiceAccount": {
                "id": f"projects/{project}/serviceAccounts/{number}-compute@developer.gserviceaccount.com",
                "email": f"{number}-compute@developer.gserviceaccount.com",
                "member": f"serviceAccount:{number}-compute@developer.gserviceaccount.com",
                "name": f"projects/{project}/serviceAccounts/{number}-compute@developer.gserviceaccount.com",
                "displayName": "Compute Engine default service account",
                "project": project, "uniqueId": f"1{number:0>20}",
            },
        }  # fmt: skip
        return answers[token] if token in answers else super().invoke(token, args)

    def _owner(self, inputs: Json) -> str:
        """The project named inside another resource's full name, as members and versions carry it."""
        if inputs.get("project"):
            return str(inputs["project"])
        for name in _FULL_NAMES:
            full = inputs.get(name)
            if isinstance(full, str) and full.startswith("projects/"):
                owner = full.split("/")[1]
                return self.project({}) if owner == project_number(self.project({})) else owner
        return ""


def project_number(project: str) -> str:
    """A project's number: twelve digits that follow from its id."""
    return str(int(hashlib.sha256(project.encode()).hexdigest(), 16))[:12]


def embedded(store: Store, root: Path) -> Cloud:
    """The cloud that a plugin process of this package serves."""
    return GoogleCloud(store, root)


def _last(name: object) -> str | None:
    return name.rsplit("/", 1)[-1] if isinstance(name, str) else None
