"""Google Cloud: the organisation policy that refuses resources outside."""

from portway.errors import BadInput, Problem
from portway.gate.guardrails.document import Document, Guardrail, uncovered
from portway.residency.boundary import Boundary
from portway.residency.tables import table

ORG_POLICY = "gcp-org-policy"
_CONSTRAINT = "gcp.resourceLocations"


def org_policy(boundary: Boundary) -> Guardrail:
    """``gcp.resourceLocations`` for ``gcloud org-policies set-policy``: every region inside, by its group.

    The group of a region (``in:europe-west4-locations``) holds its zones too. Google's wider groups are
    not used: their members change without notice.

    Raises:
        BadInput: no Google region is inside ``boundary``.
    """
    known = table("boundaries.json")["countries"]["gcp"]
    regions = sorted(boundary.regions & frozenset(known))
    if not regions:
        message = f"no Google region is inside {boundary}, so {ORG_POLICY} has nothing to allow"
        raise BadInput(
            [Problem("boundary", f"{message}; forbid Google Cloud, or name a wider one")]
        )
    values = [f"in:{region}-locations" for region in regions]
    content = {
        "name": f"organizations/ORGANIZATION_ID/policies/{_CONSTRAINT}",
        "spec": {"rules": [{"values": {"allowedValues": values}}]},
    }
    return Guardrail(ORG_POLICY, (Document(_CONSTRAINT, content),), uncovered(ORG_POLICY))
