"""Cloud Run's way of admitting whatever it runs: the place, every violation at once, then the identity."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from portway.sandbox.providers import google_secrets, type_facts
from portway.sandbox.providers.behaviour import Deployed
from portway.sandbox.providers.cloud import CloudError, Code

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud


def admit(
    cloud: "StoredCloud",
    deployed: Deployed,
    kind: str,
    problems: Callable[[], list[str]],
    account: str | None,
) -> None:
    """Refuse what the API refuses of a ``kind`` (``Service``, ``Job``) that runs as ``account``.

    Raises:
        CloudError: INVALID_ARGUMENT with one line per violation, or PERMISSION_DENIED for a place or a
            service account that is not there.
    """
    verb = "updating" if deployed.before else "creating"
    location = deployed.inputs.get("location")
    if str(location) not in type_facts.regions("google"):
        text = f"Permission denied on 'locations/{location}' (or it may not exist)."
        raise CloudError(
            Code.PERMISSION_DENIED, f"Error {verb} {kind}: googleapi: Error 403: {text}, forbidden"
        )
    if lines := "\n".join(problems()):
        text = f"Error {verb} {kind}: googleapi: Error 400: {lines}"
        raise CloudError(Code.INVALID_ARGUMENT, text)
    if account and not google_secrets.account_exists(cloud, deployed.key.scope, account):
        text = (
            f"Error {verb} {kind}: googleapi: Error 403: Permission 'iam.serviceaccounts.actAs' denied on "
            f"service account {account} (or it may not exist)., forbidden"
        )
        raise CloudError(Code.PERMISSION_DENIED, text)
