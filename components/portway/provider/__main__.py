"""``python -m portway.provider > components/schema.json`` writes the schema anew."""

import sys

from portway.provider.schema import schema_text

sys.stdout.write(schema_text())
