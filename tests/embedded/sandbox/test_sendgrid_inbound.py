"""SendGrid's Inbound Parse in the sandbox: the source, set up by the sandbox's settings alone, reads what it posts."""

from orderack.embedded.sandbox import Target
from orderack.sources.sendgrid_inbound import SOURCE
from tests.embedded.sandbox.posted_letters import PostedLetters


class TestSendgridInbound(PostedLetters):
    name = "sendgrid_inbound"
    target = Target.SENDGRID
    spec = SOURCE
