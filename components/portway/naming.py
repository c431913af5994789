"""Every physical name, label and tag is made here.

A physical name is readable first and unique by a short hash where it had to be cut. Names are stable:
changing a rule here renames, and so replaces, live resources.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

HASH_LENGTH = 6
MANAGED_BY = "portway"


def shortened(text: str, limit: int) -> str:
    """``text`` as a lower-case DNS label of at most ``limit`` characters.

    Text that already is one comes back unchanged; anything cut or altered ends in a hash of the
    original, so that two different texts never meet in one name.
    """
    slug = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    if slug == text and len(slug) <= limit:
        return slug
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
    return f"{slug[: limit - HASH_LENGTH - 1].rstrip('-')}-{digest}".lstrip("-")


@dataclass(frozen=True)
class Names:
    """The names of one stack's resources: ``chat`` in ``prod`` is ``chat-prod``."""

    service: str
    environment: str

    @property
    def base(self) -> str:
        """What every physical name of the stack starts with."""
        return f"{self.service}-{self.environment}"

    def physical(self, role: str = "", *, limit: int = 63) -> str:
        """A physical name for ``role``, at most ``limit`` characters long."""
        return shortened(f"{self.base}-{role}" if role else self.base, limit)

    def in_project(self, role: str, project: str, *, limit: int = 63) -> str:
        """A name from a namespace shared by everybody (buckets): carries a hash of the project."""
        digest = hashlib.sha256(f"{project}/{self.base}".encode()).hexdigest()[:HASH_LENGTH]
        return shortened(f"{self.base}-{role}-{digest}", limit)

    def labels(self, model: str) -> Mapping[str, str]:
        """Labels for clouds that allow lower-case letters, digits, ``-`` and ``_`` only."""
        return {
            "service": self.service,
            "environment": shortened(self.environment, 63),
            "model": shortened(model, 63),
            "managed-by": MANAGED_BY,
        }

    def cost_labels(self, model: str) -> Mapping[str, str]:
        """``labels``, and one that no other stack has, by which a bill tells its costs apart."""
        return {**self.labels(model), "stack": self.physical()}

    def kubernetes_labels(self, model: str) -> Mapping[str, str]:
        """The recommended Kubernetes labels."""
        return {
            "app.kubernetes.io/name": self.service,
            "app.kubernetes.io/instance": self.physical(),
            "app.kubernetes.io/managed-by": MANAGED_BY,
            "portway.dev/model": shortened(model, 63),
        }

    def selector(self) -> Mapping[str, str]:
        """The labels that select this stack's pods; never anything a user can change."""
        return {
            "app.kubernetes.io/name": self.service,
            "app.kubernetes.io/instance": self.physical(),
        }
