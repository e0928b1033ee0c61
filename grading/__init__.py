"""Grade a class: learners' code in a sandbox, checks in a process of their own."""

import sys
from types import SimpleNamespace

# jsonschema loads it for seconds, and no notebook needs it
sys.modules.setdefault("rfc3987_syntax", None)
# nbgrader loads these, and with them Jupyter's server, at each start
for name in ("assignment_list", "course_list", "formgrader", "validate_assignment"):
    unused = SimpleNamespace(load_jupyter_server_extension=None)
    sys.modules.setdefault(f"nbgrader.server_extensions.{name}", unused)
