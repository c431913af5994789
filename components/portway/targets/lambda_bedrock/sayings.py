"""What AWS says when a deployment fails, and what to do about it."""

import re
from typing import Final

from portway.saying import AGAIN, Saying


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


SAYINGS: Final = (
    Saying(
        _words(r"ExpiredToken(?:Exception)?: The security token included in the request is expired"),
        "the AWS credentials that you deploy with have expired; nothing was changed after that",
        f"renew them (`aws sso login`, or new AWS_ variables); {AGAIN}",
    ),
    Saying(
        _words(r"decreases account's UnreservedConcurrentExecution below its minimum value of \[(?P<least>\d+)\]"),
        "scaling.max times concurrency is reserved for the function, and the account must keep {least} "
        "for its other functions; of the function nothing was made or changed",
        "lower scaling.max or concurrency, or ask for more (Service Quotas, AWS Lambda, Concurrent "
        f"executions); {AGAIN}",
    ),
    Saying(
        _words(r"Model access is denied due to IAM user or service role"),
        "the account has no access to the model in this region",
        "let somebody who may subscribe (aws-marketplace:Subscribe) call it once, or choose a model "
        "that the account has; it may take 15 minutes to count",
    ),
    Saying(
        _words(r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w:*-]+)"),
        "{who} may not call {action}",
        f"let it, or deploy as somebody who may; {AGAIN}",
    ),
    Saying(
        _words(r"exceeded maximum number of attempts, (?P<tries>\d+),.*ThrottlingException"),
        "AWS had too many requests from the account, {tries} times in a row",
        f"wait until what else deploys there has ended, {AGAIN}",
    ),
    Saying(
        _words(r"exceeded maximum number of attempts, (?P<tries>\d+),"),
        "AWS's API could not be reached in {tries} attempts",
        f"look at the network, proxies and health.aws.amazon.com, {AGAIN}",
    ),
)  # fmt: skip
"""The first that is found in a text explains it."""
