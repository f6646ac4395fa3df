"""What an order is read beside."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orderack.edi.partner import PartnerProfile
from orderack.edi.purchase import Purchase
from orderack.ports import Connection

NAME = "edi_x12"


@dataclass(frozen=True, slots=True)
class Context:
    """One partner of one connection."""

    connection: Connection
    partner: str
    profile: PartnerProfile
    taken_at: datetime
    """When the interchange was accepted: from then on the clock runs."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.profile.time_zone or self.connection.time_zone)

    def external_id(self, purchase: Purchase) -> str:
        """Unique among all partners of the connection."""
        release = f"/{purchase.release}" if purchase.release else ""
        return f"{self.partner}/{purchase.number}{release}"
