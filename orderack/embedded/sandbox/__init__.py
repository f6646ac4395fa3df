"""Look-alikes of the vendors, over HTTP and SMTP, that can be told to fail (docs/sandbox.md)."""

from orderack.embedded.sandbox.app import sandbox_app
from orderack.embedded.sandbox.faults import Action, Fault, Operation, Target
from orderack.embedded.sandbox.server import Sandbox
from orderack.embedded.sandbox.state import Behaviour, SandboxState
from orderack.embedded.sandbox.stock import SkuStock

__all__ = ["Action", "Behaviour", "Fault", "Operation", "Sandbox", "SandboxState", "SkuStock", "Target", "sandbox_app"]
