"""Why a cluster's own routes are no front door before services that hold keys of their own."""

from portway.doors import unmade

DOOR = unmade(
    "kubernetes",
    "an HTTPRoute sends a request on to Services of its own cluster, with weights, and "
    "cannot present the API key of an end; ends elsewhere would need one there",
)
