"""A Mailgun route in the sandbox: the source, set up by the sandbox's settings alone, reads what it forwards."""

from orderack.embedded.sandbox import Target
from orderack.ports import RawRequest
from orderack.sources.mailgun_inbound import SOURCE
from tests.embedded.sandbox.posted_letters import PostedLetters


class TestMailgunInbound(PostedLetters):
    name = "mailgun_inbound"
    target = Target.MAILGUN
    spec = SOURCE

    def forged(self, request: RawRequest) -> RawRequest:
        """Mailgun proves a time and a token, not the mail: another mail cannot have that token's proof."""
        head, mark, behind = request.body.partition(b'name="token"\r\n\r\n')
        return request.model_copy(update={"body": head + mark + b"f" * 50 + behind[50:]})
