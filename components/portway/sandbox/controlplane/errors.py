"""The API's refusals, in the API's own words."""

from collections.abc import Sequence

from portway.sandbox.controlplane.objects import Ref


class ApiError(Exception):
    """What the API server answers instead of an object.

    Attributes:
        code: the HTTP status.
        reason: the machine-readable reason of the Status object.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        """Keep the message as the server words it."""
        self.code = code
        self.reason = reason
        self.message = message
        super().__init__(message)


def not_found(resource: str, name: str) -> ApiError:
    """The object, or the namespace it should live in, is not there."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found')


def already_exists(ref: Ref) -> ApiError:
    """A create met an object of that name."""
    return ApiError(409, "AlreadyExists", f'{ref.resource} "{ref.name}" already exists')


def conflict(message: str) -> ApiError:
    """Another field manager owns what this one wants to change."""
    return ApiError(409, "Conflict", message)


def invalid(ref: Ref, causes: Sequence[str]) -> ApiError:
    """The object is well formed and still wrong; lists every cause."""
    listed = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
    message = f'{ref.qualified_kind} "{ref.name}" is invalid: {listed}'
    return ApiError(422, "Invalid", message)


def undecodable(ref: Ref, why: str) -> ApiError:
    """The object cannot be read as its kind: an unknown field, a wrong type."""
    version = ref.api_version.rpartition("/")[2]
    message = f'{ref.kind} in version "{version}" cannot be handled as a {ref.kind}: {why}'
    return ApiError(400, "BadRequest", message)


def no_match(api_version: str, kind: str) -> ApiError:
    """The cluster does not know the kind: its CRD is not installed."""
    return ApiError(404, "NotFound", f'no matches for kind "{kind}" in version "{api_version}"')


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """An admission plugin said no."""
    return ApiError(403, "Forbidden", f'{resource} "{name}" is forbidden: {why}')
