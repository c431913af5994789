"""Managed services start from nothing where they can, and say how far they grow.

Sources: the scaling and quota pages of SageMaker, Vertex AI, ElastiCache Serverless, OpenSearch
Serverless, Redshift Serverless, Athena, Kendra, Aurora and BigQuery, read in November 2026.
"""

from portway.gate.judged_cost import judge_family
from portway.gate.rule import Rule, Severity

RULE = Rule(
    id="cost-managed-services-are-limited",
    severity=Severity.HIGH,
    description="Managed services start from nothing where they can, and say how far they grow.",
    remediation="Set the least to zero, and the most to what somebody is ready to pay for.",
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST09-BP03",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge_family("managed"),
)
