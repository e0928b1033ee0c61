"""Grade a class: learners' code in a sandbox, checks in a process of their own."""

import sys

# jsonschema loads it for seconds, and no notebook needs it
sys.modules.setdefault("rfc3987_syntax", None)
