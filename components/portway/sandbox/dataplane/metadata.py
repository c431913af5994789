"""Google's metadata server as instances see it: who they are, and access tokens for that.

One address for each service account, because processes of one machine cannot be told apart.
"""

import hashlib
import json
from collections.abc import Mapping

from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import LOOPBACK, Exchange, Front

TOKEN_SECONDS = 3599
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"


class Metadata:
    """The metadata servers of all service accounts, and whose tokens are whose."""

    def __init__(self, context: Context, leads: Mapping[str, str]) -> None:
        """``leads`` are the variables that lead clients of other services to the sandbox."""
        self._context = context
        self._leads = dict(leads)
        self._servers: dict[tuple[str, str], Front] = {}
        self._accounts: dict[str, str] = {}

    async def environment(self, project: str, account: str) -> Mapping[str, str]:
        """What leads Google's clients of an instance to the sandbox.

        Raises:
            OSError: the metadata server of that account cannot listen.
        """
        front = self._servers.get((project, account))
        if front is None:
            front = Front(_Server(project, account).handle)
            await front.listen(self._context.port(f"metadata|{project}|{account}"))
            self._servers[project, account] = front
            self._accounts[access_token(account)] = account
        return {"GCE_METADATA_HOST": f"{LOOPBACK}:{front.port}", **self._leads}

    def account_of(self, token: str) -> str | None:
        """The service account that a token was given to."""
        return self._accounts.get(token)

    async def close(self) -> None:
        """Stop listening."""
        for front in self._servers.values():
            await front.close()


def access_token(account: str) -> str:
    """The token of a service account: always the same, so that a caller is known by it."""
    return f"ya29.sandbox-{hashlib.sha256(f'sandbox account {account}'.encode()).hexdigest()}"


class _Server:
    """One account's metadata."""

    def __init__(self, project: str, account: str) -> None:
        token = {
            "access_token": access_token(account),
            "expires_in": TOKEN_SECONDS,
            "token_type": "Bearer",
        }
        self._answers = {
            f"{_ACCOUNT}token": ("application/json", json.dumps(token)),
            f"{_ACCOUNT}email": ("application/text", account),
            "/computeMetadata/v1/project/project-id": ("application/text", project),
        }

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        flavor = [("metadata-flavor", "Google"), ("server", "Metadata Server for VM")]
        if (exchange.header("metadata-flavor") or "").lower() != "google":
            missing = "Missing Metadata-Flavor:Google header."
            await exchange.reply(403, missing, "text/plain", flavor)
            return
        kind, body = self._answers.get(exchange.path, ("text/plain", ""))
        await exchange.reply(200 if body else 404, body or "404 page not found\n", kind, flavor)
