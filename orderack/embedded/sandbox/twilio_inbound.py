"""The form that Twilio posts when somebody writes to one of the account's numbers."""

import secrets
from collections.abc import Mapping

from phonenumbers import NumberParseException, parse, region_code_for_number

from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.twilio_rules import API, segments


def inbound(account: str, answered: Posted, text: str) -> Mapping[str, str]:
    """The form of an inbound message: from the number that was written to, to the one that wrote."""
    sid = f"SM{secrets.token_hex(16)}"
    unknown = {f"{end}{part}": "" for end in ("From", "To") for part in ("City", "State", "Zip")}
    return {
        **unknown,
        "ToCountry": _country(answered.sender),
        "FromCountry": _country(answered.recipient),
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "MessageSid": sid,
        "SmsStatus": "received",
        "NumMedia": "0",
        "NumSegments": str(segments(text)),
        "Body": text,
        "To": answered.sender,
        "From": answered.recipient,
        "AccountSid": account,
        "ApiVersion": API,
    }


def _country(number: str) -> str:
    try:
        return region_code_for_number(parse(number)) or ""
    except NumberParseException:
        return ""
