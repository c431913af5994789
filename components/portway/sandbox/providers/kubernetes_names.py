"""Names on both sides: Pulumi's tokens and logical names, and the API's kinds and names."""

import hashlib
import secrets

from portway.sandbox.controlplane.objects import dig, object_at
from portway.sandbox.providers.cloud import Request
from portway.sandbox.providers.kubernetes_fields import is_autonamed
from portway.sandbox.providers.wire import Json

_AUTONAME_HEX = 8


def kind_of(token: str) -> tuple[str, str] | None:
    """``apiVersion`` and kind of a type token; None for what is no single object."""
    parts = token.split(":")
    if len(parts) != len(("package", "group", "kind")):
        return None
    _, group, kind = parts
    if group.startswith(("helm.sh/", "yaml", "kustomize")) or kind.endswith(("List", "Patch")):
        return None
    return group.removeprefix("core/"), kind


def manager(urn: str) -> str:
    """The field manager of one resource of one stack, so that two stacks never share an object."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def autoname(request: Request) -> str:
    """A name made before is kept; a new one follows from the step's seed."""
    if is_autonamed(request.old_inputs):
        return str(dig(request.old_inputs, "metadata", "name"))
    if request.proposed_name:
        return request.proposed_name
    if not request.seed:
        return f"{request.name}-{secrets.token_hex(_AUTONAME_HEX // 2)}"
    digest = hashlib.sha256(request.seed + request.urn.encode()).hexdigest()
    return f"{request.name}-{digest[:_AUTONAME_HEX]}"


def place(inputs: Json) -> tuple[object, object, object]:
    """What makes an object unique: two with the same place cannot exist at once."""
    metadata = object_at(inputs, "metadata")
    return inputs.get("kind"), metadata.get("namespace"), metadata.get("name")
