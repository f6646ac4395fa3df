"""How YAML is read: safely, and by libyaml where PyYAML has it."""

import yaml

LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's takes a tenth of the time, at every start of a command."""
