"""How a person looks whether a cloud has a resource: the command, and the form of the ID it goes by.

The forms are those of the providers' own IDs, as a state holds them (pulumi-gcp 10, pulumi-aws 7,
pulumi-kubernetes 4); for most types the Import section in the Pulumi Registry shows the same.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class _Way(NamedTuple):
    """``{input}`` in both is filled from the resource's inputs, or stays as a word in capitals."""

    command: str
    id: str


_GCLOUD = "--project {project} --format 'value(name)'"
_AWS = "--region {region}"

_WAYS = {
    "gcp:artifactregistry/repository:Repository": _Way(
        f"gcloud artifacts repositories describe {{repositoryId}} --location {{location}} {_GCLOUD}",
        "projects/{project}/locations/{location}/repositories/{repositoryId}",
    ),
    "gcp:cloudrunv2/job:Job": _Way(
        f"gcloud run jobs describe {{name}} --region {{location}} {_GCLOUD}",
        "projects/{project}/locations/{location}/jobs/{name}",
    ),
    "gcp:cloudrunv2/service:Service": _Way(
        f"gcloud run services describe {{name}} --region {{location}} {_GCLOUD}",
        "projects/{project}/locations/{location}/services/{name}",
    ),
    "gcp:secretmanager/secret:Secret": _Way(
        f"gcloud secrets describe {{secretId}} {_GCLOUD}",
        "projects/{project}/secrets/{secretId}",
    ),
    "gcp:secretmanager/secretVersion:SecretVersion": _Way(
        "gcloud secrets versions list {secret}", "{secret}/versions/VERSION"
    ),
    "gcp:serviceaccount/account:Account": _Way(
        "gcloud iam service-accounts describe "
        "{accountId}@{project}.iam.gserviceaccount.com --project {project}",
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
    ),
    "gcp:storage/bucket:Bucket": _Way("gcloud storage buckets describe gs://{name}", "{name}"),
    "gcp:storage/bucketObject:BucketObject": _Way(
        "gcloud storage objects describe gs://{bucket}/{name}", "{bucket}-{name}"
    ),
    "gcp:firestore/database:Database": _Way(
        "gcloud firestore databases describe --database {name} --project {project}",
        "projects/{project}/databases/{name}",
    ),
    "aws:cloudwatch/logGroup:LogGroup": _Way(
        f"aws logs describe-log-groups --log-group-name-prefix {{name}} {_AWS}", "{name}"
    ),
    "aws:dynamodb/table:Table": _Way(
        f"aws dynamodb describe-table --table-name {{name}} {_AWS}", "{name}"
    ),
    "aws:iam/role:Role": _Way("aws iam get-role --role-name {name}", "{name}"),
    "aws:iam/rolePolicy:RolePolicy": _Way(
        "aws iam get-role-policy --role-name {role} --policy-name {name}", "{role}:{name}"
    ),
    "aws:lambda/alias:Alias": _Way(
        f"aws lambda get-alias --function-name {{functionName}} --name {{name}} {_AWS}",
        "the AliasArn that it prints",
    ),
    "aws:lambda/function:Function": _Way(
        f"aws lambda get-function --function-name {{name}} {_AWS}", "{name}"
    ),
    "aws:lambda/functionUrl:FunctionUrl": _Way(
        "aws lambda get-function-url-config --function-name {functionName} "
        f"--qualifier {{qualifier}} {_AWS}",
        "{functionName}/{qualifier}",
    ),
    "aws:lambda/permission:Permission": _Way(
        f"aws lambda get-policy --function-name {{function}} --qualifier {{qualifier}} {_AWS}",
        "{statementId}",
    ),
    "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": _Way(
        "aws lambda get-provisioned-concurrency-config --function-name {functionName} "
        f"--qualifier {{qualifier}} {_AWS}",
        "{functionName},{qualifier}",
    ),
    "aws:secretsmanager/secret:Secret": _Way(
        f"aws secretsmanager describe-secret --secret-id {{name}} {_AWS}", "the ARN that it prints"
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": _Way(
        f"aws secretsmanager list-secret-version-ids --secret-id {{secretId}} {_AWS}",
        "{secretId}|VERSION",
    ),
}

_FIELD = re.compile(r"\{(\w+)\}")
_SIMPLE = re.compile(r"[\w./:@+=,-]{1,512}")
_KUBERNETES = "kubernetes:"


def how_to_look(resource: Mapping[str, Any]) -> list[str]:
    """Sentences: the command that looks for ``resource``, and the form of its ID.

    Args:
        resource: of a pending operation: its type, URN and inputs. Inputs that are secret, or not
            yet known, are not shown: their names stand in capitals.
    """
    type_token = str(resource.get("type", ""))
    inputs = cast("Mapping[str, Any]", resource.get("inputs") or {})
    if type_token.startswith(_KUBERNETES):
        return _kubernetes(type_token, inputs)
    way = _WAYS.get(type_token)
    if way is None:
        return [_elsewhere(type_token, str(resource.get("urn", "")))]
    return [f"Look: {_filled(way.command, inputs)}", f"Its ID: {_filled(way.id, inputs)}"]


def _filled(text: str, inputs: Mapping[str, Any]) -> str:
    return _FIELD.sub(lambda match: _value(inputs, match[1]), text)


def _value(inputs: Mapping[str, Any], name: str) -> str:
    value = inputs.get(name)
    shown = isinstance(value, str) and _SIMPLE.fullmatch(value)
    return str(value) if shown else name.upper()


def _kubernetes(type_token: str, inputs: Mapping[str, Any]) -> list[str]:
    metadata = inputs.get("metadata")
    names = cast("Mapping[str, Any]", metadata if isinstance(metadata, dict) else {})
    group, _, version_and_kind = type_token.removeprefix(_KUBERNETES).partition("/")
    version, _, kind = version_and_kind.partition(":")
    what = kind.lower() if group == "core" else f"{kind}.{version}.{group}".lower()
    name = _value(names, "name")
    command = f"kubectl get {shlex.quote(what)} {name}"
    if "namespace" not in names:
        return [f"Look: {command}", f"Its ID: {name}"]
    namespace = _value(names, "namespace")
    return [f"Look: {command} --namespace {namespace}", f"Its ID: {namespace}/{name}"]


def _elsewhere(type_token: str, urn: str) -> str:
    package, _, rest = type_token.partition(":")
    module = rest.partition("/")[0].partition(":")[0]
    kind = type_token.rpartition(":")[2].lower()
    page = f"https://www.pulumi.com/registry/packages/{package}/api-docs/"
    page += f"{kind}/#import" if module == "index" else f"{module}/{kind}/#import"
    return (
        f"Look in the console of {package or 'its cloud'} for what the program calls "
        f"{urn.rpartition('::')[2]!r}; how its ID looks: {page}"
    )
