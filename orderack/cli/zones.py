"""The store's time zone, where the policy is at hand; else UTC."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from orderack.policy.load import PolicyInvalid, load_policy
from orderack.settings import Settings


def zone_of(store: str) -> tzinfo:
    """Never raises: a sentence with times in UTC is still true."""
    try:
        row = load_policy(Settings().policy_dir).stores.get(store)
    except PolicyInvalid:
        return UTC
    return ZoneInfo(row.profile.time_zone) if row else UTC
