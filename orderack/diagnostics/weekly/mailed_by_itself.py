"""The weekly report as its schedule has it: made of the whole ledger and mailed to whom the settings name.

`orderack report weekly --email` makes the same mail, under the same name in the ledger: who has it from one does not
get it from the other.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from orderack.bootstrap import report_addresses
from orderack.contracts.reports import WeeklyMailed
from orderack.diagnostics.weekly.letter import letter
from orderack.diagnostics.weekly.mail_channels import the_channel
from orderack.diagnostics.weekly.mailing import UNDER_WAY, Fate, Posted, post_all, report_name
from orderack.diagnostics.weekly.report import TREND, Asked, weekly
from orderack.diagnostics.weekly.store_zones import last_over, of_policy, zones
from orderack.diagnostics.weekly.weeks import last_whole
from orderack.errors import Refused, Unavailable
from orderack.ledger.repository import open_ledger
from orderack.settings import Settings

LATER = (Fate.UNAVAILABLE, Fate.UNDER_WAY)


async def mail_weekly(settings: Settings, as_of: datetime) -> WeeklyMailed:
    """Make the report of the last week that was over then, as it stood then, and mail it to who has not got it.

    Raises Unavailable where somebody could not be mailed now; Refused where nobody but a person can go on: an address
    was refused, or a mail is in doubt; Misconfigured. Whoever could be mailed has been, in any case.
    """
    to = report_addresses(settings)
    if not to:
        return WeeklyMailed()
    channel = the_channel()
    ledger = await open_ledger(settings.ledger_url)
    try:
        of = await zones(ledger, of_policy(settings.policy_dir), last_whole(as_of, UTC), TREND)
        week = last_over(of, as_of)
        found = await weekly(ledger, Asked(week=week, weeks=TREND, now=as_of, zones=of))
        posted = await post_all(ledger, channel, to, report_name(week), None, letter(found))
    finally:
        await ledger.aclose()
    return _ended(str(week), posted)


def _ended(week: str, posted: Sequence[Posted]) -> WeeklyMailed:
    fates = Counter(one.fate for one in posted)
    if fates[Fate.UNAVAILABLE] or fates[Fate.UNDER_WAY]:
        wait = UNDER_WAY if fates[Fate.UNDER_WAY] else None
        raise Unavailable(f"{week}: {_said(posted, LATER)}", wait)
    if fates[Fate.REFUSED] or fates[Fate.IN_DOUBT]:
        again = "orderack report weekly --email ADDRESS mails it by hand, with --again also what is in doubt"
        raise Refused(f"{week}: {_said(posted, (Fate.REFUSED, Fate.IN_DOUBT))}; {again}")
    return WeeklyMailed(week=week, sent=fates[Fate.SENT], already=fates[Fate.ALREADY])


def _said(posted: Sequence[Posted], fates: Sequence[Fate]) -> str:
    """Which addresses, by their place in the setting: history keeps none, and a provider's words may name one."""
    words = {
        Fate.UNAVAILABLE: "not mailed now",
        Fate.UNDER_WAY: "another run is at it",
        Fate.REFUSED: "refused",
        Fate.IN_DOUBT: "in doubt, it may have gone out",
    }
    of = [
        f"address {n} of ORDERACK_WEEKLY_TO: {words[one.fate]}" for n, one in enumerate(posted, 1) if one.fate in fates
    ]
    return "; ".join(of)
