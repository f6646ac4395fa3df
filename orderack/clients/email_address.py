"""One e-mail address: what looks like one and is two would reach a stranger (reliability.md §3.5)."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

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


def _setting(text: str) -> str:
    try:
        return one_address(text)
    except Refused:
        raise ValueError("not one e-mail address") from None


EmailAddress = Annotated[str, AfterValidator(_setting)]
"""An address of our own, as a setting."""
