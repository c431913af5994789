"""The key document in AWS Secrets Manager."""

from collections.abc import Callable

from .aws import SECRETS_MANAGER, AwsError, Service
from .errors import WireError
from .keys import BadKeys

_SECONDS = 5.0


def secret_reader(arn: str, service: Service) -> Callable[[], bytes]:
    """A function that fetches the document, raising `BadKeys` when it cannot."""

    def read() -> bytes:
        try:
            found = service.call("secretsmanager.GetSecretValue", "1.1", {"SecretId": arn})
        except (AwsError, OSError, WireError) as error:
            raise BadKeys(
                f"Secrets Manager did not return the key document: {_why(error)}"
            ) from None
        value = found.get("SecretString")
        if not isinstance(value, str):
            raise BadKeys("the secret with the key document holds no text")
        return value.encode()

    return read


def open_secrets(region: str) -> Service:
    """Secrets Manager in a region."""
    return Service(SECRETS_MANAGER, region, _SECONDS)


def _why(error: AwsError | OSError | WireError) -> str:
    if isinstance(error, AwsError):
        return error.code
    if isinstance(error, WireError):
        return error.detail or error.message
    return type(error).__name__
