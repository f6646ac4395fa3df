"""Every figure that a verdict turns on, in one place, with its reason. docs/gap-doctor.md lists them for readers."""

NEEDED = 500
"""Joined orders for a verdict: S3's baseline, "across at least 500 orders" (R175). It holds for each channel too."""

PART_NEEDED = 100
"""Orders of a channel before its own pattern may count as a part of a mixture over 500 or more."""

SWING = 1.4
"""Variable: the expected delay at busy times is 1.4 times that at calm times, or more.

R178 says "varies significantly by order volume or time of day" and gives no figure. A queue that is never empty shifts
by a tenth or two with load; one that fills and drains differs by a factor of two and up.
"""

EXPLAINED = 0.05
"""… and hour and volume explain this share of the (logarithmic) variance at least: less is noise about the fit."""

SPREAD = 1.8
"""Variable: the third quartile of the delay is 1.8 times the first, or more, whatever hour and volume say.

R177, "webhook reliability": retries with back-off spread delays without a pattern over the day. Exponential waiting has
4.8, an even spread over an interval 3, a pipeline of a few steady steps 1.1 to 1.5.
"""

STAGE = 0.25
"""A stage (capture → integration, integration → ERP) with this share of the whole delay is a cause of it."""

QUICK = 30.0
"""… unless it takes less than this on average, in seconds: an ERP that answers "within seconds" (R156) is no queue."""

PREMATURE = 0.8
"""Confirmations on capture: at least this share goes out before the receipt …"""

GATED = 0.1
"""… and of a confirmation that waits for the receipt, at most this: hand-made exceptions and clocks."""

FOLLOWS = 0.2
"""Confirmations that came after the receipt wait for it, if their rank correlation with it (both from capture) is so
much higher than that of the same times paired by chance, of which only those after the receipt are looked at too."""

APART = 3.0
"""… or if they took this many times as long, nearly all, as nearly all of the early ones: not sent alike."""

SOME = 0.05
"""A fast ERP is often there first. Of a confirmation that does not wait for it, at least so many are early, or it shows
by the two tests that the confirmation keeps its distance to the capture and not to the receipt."""

REPELS = -0.05
"""Spearman's rho of receipt and the time from it to the confirmation. Waiting makes it nought or more; where the upper
end of its interval is below this, the confirmation does not wait."""

DEPENDENT = 0.6
"""Spearman's rho over which a confirmation follows the receipt, so that a steady lead is a matter of clocks."""

TOLERANCE = 2.0
"""Seconds by which clocks of two systems may differ before "before" is said."""

SKEW = 60.0
"""Seconds by which a badly kept clock may be off. A confirmation that follows the receipt at a steady negative distance
up to this is read as waiting for it, under another clock; beyond, as not waiting."""

PART = 0.15
"""Share of the orders (or of the delay) under which a second cause is a remark and not a part of a mixture."""

CONFIDENT = 0.8
"""A verdict that fewer of the bootstrap's resamples agree on is not given."""

PART_CONFIDENT = 0.9
"""A channel's own cause is a part of a mixture from here on: there are several channels, so several chances to err."""

NO_GAP = 10.0
"""Seconds. Where receipts come within this at the 95th percentile, and no confirmation is early, there is no gap."""

RESAMPLES = 300
"""Of the block bootstrap: a share of 0.95 is then known to within 0.025."""

SAMPLE = 6_000
"""Orders that a resample draws at most: intervals are then a little wider than all orders would give."""

BLOCK = 25
"""Orders to a block, at least: neighbours in a queue share their fate, so they are drawn together."""

BLOCKS = 150
"""Blocks at most."""

VOLUME_MINUTES = (5, 15, 60)
"""Widths of the window in which orders around an order are counted. The one that tells most is used, and named."""

BATCHED = 0.6
"""Length of the mean vector (Rayleigh) of receipt times on a clock of the batch's period; 1: all at the same minute."""

STALL_ORDERS = 12
"""Orders that must have been due while the ERP booked none, for an outage: at a steady rate, chance gives e**-12."""

STALL_SECONDS = 600.0
"""An outage lasts at least ten minutes …"""

STALL_DELAYS = 4.0
"""… and four times the usual delay."""

STALLED = 0.15
"""Where more of the time than this is outage, it is no outage but how the path works: nothing is set aside."""

SHIFTED = 0.2
"""Share of receipts before their order's capture over which clocks or time zones must be wrong: no verdict."""

ZONES = 29 * 60.0
"""Seconds that even the quickest orders (1st percentile) take, over which times without a zone are taken for another
zone's: zones are whole half hours apart, and hardly a path has no order that is quicker."""

COARSE = 60.0
"""Seconds. Stamps of the ERP that are rounded to this or more need a usual delay of twice that."""
