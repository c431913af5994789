"""What Google says when a deployment fails, and what to do about it."""

import re
from typing import Final

from portway.saying import AGAIN, Saying

_ELSEWHERE: Final = "choose another region in the placement"
_LOG: Final = "read the log of the revision that is named (in the sandbox `portway sandbox logs`)"


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


SAYINGS: Final = (
    Saying(
        _words(
            r"Quota violated: (?P<quota>Nvidia\w+) requested: (?P<asked>\d+) allowed: (?P<allowed>\d+)"
        ),
        "scaling.max lets the service have {asked} GPUs, and the project may have {allowed} in this "
        "region ({quota}); of the service nothing was made or changed",
        f"lower scaling.max to {{allowed}}, or ask for more at g.co/cloudrun/gpu-quota, or {_ELSEWHERE}; {AGAIN}",
    ),
    Saying(
        _words(r"You do not have quota for using GPUs (?P<manner>with(?:out)?) zonal redundancy"),
        "the project may have no GPU {manner} zonal redundancy in this region; of the service nothing "
        "was made or changed",
        "ask for some at g.co/cloudrun/gpu-quota (new projects are given none for a day or two), set "
        f"the option gpu_zonal_redundancy otherwise, or {_ELSEWHERE}; {AGAIN}",
    ),
    Saying(
        _words(r"requested total (?P<what>CPU|memory)\..*?Quota violated: (?P<quota>\w+)"),
        "scaling.max times what one instance takes is more {what} than the project may have in this "
        "region ({quota}); of the service nothing was made or changed",
        f"lower scaling.max, or ask for more of {{quota}} (Quotas page, Cloud Run Admin API); {AGAIN}",
    ),
    Saying(
        _words(r"Image '(?P<image>[^']+)' not found"),
        "the registry has no image {image}; what served before serves on",
        "look at the option or the remote repository that names it, and that its digest is still "
        f"there; {AGAIN}",
    ),
    Saying(
        _words(r"failed the configured startup probe checks"),
        "the model was not ready in the time that its start is given; what served before serves on",
        f"{_LOG}: a download that stalls, arguments that the model server refuses, and too little "
        f"memory are the usual reasons; {AGAIN}",
    ),
    Saying(
        _words(r"there was no available instance"),
        "the region has no GPU to spare for Cloud Run now; what served before serves on",
        f"wait and try again, or {_ELSEWHERE}, or move there with `portway migrate`; {AGAIN}",
    ),
    Saying(
        _words(r"Task (?P<task>\S+) failed with message: "),
        "the weights were not copied into the service's bucket; what was copied whole stays there, and what "
        "served before serves on",
        "read the log of the job that is named (in the sandbox `portway sandbox logs`): a hub that is away, "
        f"and a bucket that may not be written, are the usual reasons; {AGAIN}",
    ),
    Saying(
        _words(r"updating Job: .*Resource '(?P<execution>[^']+)' already exists"),
        "Cloud Run runs no execution {execution} twice, and the first one failed; what was copied whole stays "
        "in the bucket",
        "delete the job that it is of (`gcloud run jobs delete`), `portway up {stack} -- --refresh`: the job is "
        "made anew and goes on with what is missing",
    ),
    Saying(
        _words(r"failed to start and listen on the port"),
        "a container ended or did not listen; what served before serves on",
        f"{_LOG}; {AGAIN}",
    ),
    Saying(
        _words(r'oauth2: "invalid_grant"|Error 401: Request had invalid authentication'),
        "the Google credentials that you deploy with have expired; nothing was changed after that",
        f"renew them (`gcloud auth application-default login`, or a new token of your CI); {AGAIN}",
    ),
    Saying(
        _words(
            r"googleapis\.com.*connection refused|googleapi: Error 503|"
            r"googleapis\.com.*(?:i/o timeout|no such host)"
        ),
        "Google's API could not be reached",
        f"look at the network, proxies and status.cloud.google.com, {AGAIN}",
    ),
    Saying(
        _words(r"Error 403: Permission '(?P<what>[\w.]+)' denied on resource '(?P<on>[^']+)'"),
        "whoever deploys has no permission {what} on {on}",
        f"let it have a role with {{what}}, or deploy as somebody who has one; {AGAIN}",
    ),
)
"""The first that is found in a text explains it."""
