"""One e-mail address: what looks like one and is two would reach a stranger (reliability.md §3.5)."""

from email_validator import EmailNotValidError, validate_email

from orderack.domain.acknowledgement import Reason
from orderack.errors import Refused


def one_address(text: str) -> str:
    """The address in ASCII (IDN domains encoded). Raises Refused(BAD_RECIPIENT), without repeating the address."""
    try:
        ascii_email = validate_email(text, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        ascii_email = None
    if ascii_email is None:
        raise Refused("the recipient is not one e-mail address", Reason.BAD_RECIPIENT)
    return ascii_email
