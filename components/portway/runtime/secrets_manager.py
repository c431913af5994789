"""The key document in AWS Secrets Manager."""

from collections.abc import Callable
from typing import Protocol, cast

from .aws import make_client
from .jsons import JsonObject
from .keys import BadKeys


class SecretsClient(Protocol):
    """The one call used of the AWS SDK's `secretsmanager` client."""

    def get_secret_value(self, *, SecretId: str) -> JsonObject:  # noqa: N803 - the SDK's name
        """Return the secret's current version."""
        ...


def secret_reader(
    arn: str, region: str | None, client: SecretsClient | None = None
) -> Callable[[], bytes]:
    """A function that fetches the document, raising `BadKeys` when it cannot."""
    secrets = client or cast("SecretsClient", make_client("secretsmanager", region, read_timeout=5))

    def read() -> bytes:
        try:
            value = secrets.get_secret_value(SecretId=arn).get("SecretString")
        except Exception as error:  # noqa: BLE001 - the SDK's errors share no base worth importing
            response = getattr(error, "response", None)
            code = response["Error"]["Code"] if response else type(error).__name__
            raise BadKeys(f"Secrets Manager did not return the key document: {code}") from None
        if not isinstance(value, str):
            raise BadKeys("the secret with the key document holds no text")
        return value.encode()

    return read
