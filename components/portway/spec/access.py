"""Who may call a service, and from where."""

from typing import Literal

from portway.spec.frozen import Frozen

Auth = Literal["api-key", "iam"]
Reach = Literal["public", "private"]


class Access(Frozen):
    """``auth``: an API key checked by the runtime, or the cloud's own IAM. ``reach``: from where."""

    auth: Auth = "api-key"
    reach: Reach = "public"
