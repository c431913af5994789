"""An ordinary Pulumi program: it knows nothing of Portway, and keeps its backups in Iowa."""

import pulumi_gcp as gcp

gcp.storage.Bucket("prompts", location="EU", uniform_bucket_level_access=True)
gcp.storage.Bucket("backups", location="us-central1", uniform_bucket_level_access=True)
