"""What a cluster says when pods do not run or an object is refused, and what to do about it."""

import re
from typing import Final

from portway.saying import AGAIN, Saying

_ON: Final = "pods that served before serve on"
_LOG: Final = "read its log (kubectl logs; in the sandbox `portway sandbox logs`)"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


SAYINGS: Final = (
    Saying(
        _words(r'violates PodSecurity \\?"(?P<level>[^"\\]+)\\?": (?P<why>.{1,80}?)[(,;]'),
        f"the namespace admits only pods of the level {{level}}, and these break it: {{why}}; {_ON}",
        "set in the pod template the fields that are named, or label the namespace with the level that "
        f"the pods need (pod-security.kubernetes.io/enforce); {AGAIN}",
    ),
    Saying(
        _words(
            r"exceeded quota: (?P<quota>[\w.-]+), requested: (?P<asked>\S+), used: (?P<used>\S+), "
            r"limited: (?P<limit>[^\s;]+)"
        ),
        "the ResourceQuota {quota} of the namespace allows {limit}; {used} is used, and another pod asks "
        f"for {{asked}}; {_ON}",
        "have the quota raised, or ask for less: lower scaling.max, fewer GPUs for a replica, no "
        f"options.surge; {AGAIN}",
    ),
    Saying(
        _words(r"failed quota: (?P<quota>[\w.-]+): must specify (?P<what>[^;\n]+)"),
        "the ResourceQuota {quota} counts what a container does not ask for ({what})",
        f"give every container of the namespace requests, or it a LimitRange with defaults; {AGAIN}",
    ),
    Saying(
        _words(r"no PriorityClass with name (?P<name>\S+) was found"),
        "the cluster has no PriorityClass {name}",
        "create it, name one that is there in options.priority_class, or have one made by "
        f"options.priority; {AGAIN}",
    ),
    Saying(
        _words(
            r"(?P<nodes>\d+/\d+) nodes are available:.{0,400}?Insufficient "
            r"(?P<gpu>[a-z0-9.-]+/[\w-]+(?:\.[\w-]+)*)"
        ),
        f"pods wait for {{gpu}}: {{nodes}} nodes have as many free as one of them asks for; {_ON}",
        "let the node pool grow (its maximum, and the cloud's GPU quota), lower scaling.max or "
        f"options.surge, or end what holds the GPUs; {AGAIN}",
    ),
    Saying(
        _words(r"(?P<nodes>\d+/\d+) nodes are available:.{0,400}?cannot allocate all claims"),
        "pods wait for their claims of devices: {nodes} nodes have the devices free that one of them "
        f"claims; {_ON}",
        "let the node pool grow (its maximum, and the cloud's GPU quota), lower scaling.max or "
        f"options.surge, or end what holds the devices; {AGAIN}",
    ),
    Saying(
        _words(r"(?P<nodes>\d+/\d+) nodes are available:.{0,400}?untolerated taint[( {s)]*"
            r"(?P<taint>[\w./-]*)"),
        f"pods wait: the nodes that would fit are kept for others by the taint {{taint}}; {_ON}",
        f"name the taint in options.tolerations; {AGAIN}",
    ),
    Saying(
        _words(
            r"no machine of the sandbox|(?P<nodes>\d+/\d+) nodes are available:.{0,400}?"
            r"didn't match Pod's node affinity/selector"
        ),
        f"pods wait for a node with the labels that they require, its region and machine; {_ON}",
        f"correct the placement's region or options.node, or add such a node pool; {AGAIN}",
    ),
    Saying(
        _words(r"(?:ErrImagePull|ImagePullBackOff|InvalidImageName)\b|Failed to pull image"),
        f"a node cannot get the image of a container; {_ON}",
        "see that the image exists at this digest, and that nodes reach its registry and may pull from "
        f"it; {AGAIN}",
    ),
    Saying(
        _words(r"(?:Readiness|readiness) probe failed: (?P<why>[^;\n]{1,120})"),
        f"a container runs and is not ready: its readiness probe fails ({{why}}); {_ON}",
        f"{_LOG}: a model that still loads, a wrong path or port are the usual reasons; {AGAIN}",
    ),
    Saying(
        _words(r"(?:Startup|startup) probe failed|failed its (?:startup|liveness) probe"),
        f"a container does not answer in the time that its probe gives it; {_ON}",
        f"{_LOG}: a download that stalls and too little memory are the usual reasons; {AGAIN}",
    ),
    Saying(
        _words(r"CrashLoopBackOff|back-off [^ ]+ restarting failed|the container exited with code (?P<code>-?\d+)"),
        f"a container ends by itself; {_ON}",
        f"{_LOG}; {AGAIN}",
    ),
    Saying(
        _words(r'[Cc]onflicts? with \\?"(?P<owner>[^"\\]+)\\?"[^:]*: *-? ?(?P<field>\.[\w.]+)'),
        "the field {field} belongs to {owner} now, who set it in the cluster",
        "take it out of who else sets it, or take it back by the annotation pulumi.com/patchForce: "
        f'"true"; {AGAIN}',
    ),
    Saying(
        _words(r'no matches for kind \\?"(?P<kind>\w+)\\?" in version \\?"(?P<version>[\w./-]+)'),
        "the cluster does not know the kind {kind} of {version}",
        f"install what brings it, or take it out of options.crds; {AGAIN}",
    ),
    Saying(
        _words(
            r'forbidden: User \\?"(?P<who>[^"\\]+)\\?" cannot (?P<verb>\w+) resource \\?"(?P<what>[^"\\]+)'
        ),
        "{who}, as whom you deploy, may not {verb} {what}",
        f"have it granted by a Role or ClusterRole; {AGAIN}",
    ),
    Saying(
        _words(r"asked for the client to provide credentials"),
        "the credentials of your kubeconfig have expired; nothing was changed after that",
        f"log in to the cluster again (its cloud's own command renews the kubeconfig); {AGAIN}",
    ),
    Saying(
        _words(r"API server has not answered|Kubernetes cluster is unreachable|API server went away"),
        "the cluster's API server could not be reached; what was made is in the state, and pods run on",
        f"see that the cluster is there and that the context of your kubeconfig leads to it; {AGAIN}",
    ),
    Saying(
        _words(r"exceeded its progress deadline|has timed out progressing|timed out waiting to be Ready"),
        f"the new pods were not ready in the time that a rollout is given; {_ON}",
        f"look at them (kubectl describe pods; in the sandbox `portway sandbox status`); {AGAIN}",
    ),
)  # fmt: skip
