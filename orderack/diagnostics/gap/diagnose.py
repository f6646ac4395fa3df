"""The doctor's whole round: logs in, a diagnosis and what it rests on out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl

from orderack.diagnostics.gap.figures import Diagnosis
from orderack.diagnostics.gap.flow import Flow, loaded
from orderack.diagnostics.gap.joining import Joined, Source, join
from orderack.diagnostics.gap.mapping import Mapped, map_log, matched_ids, overrides, with_id, with_joint_columns
from orderack.diagnostics.gap.reading import Log, read_log, unusable
from orderack.diagnostics.gap.resampling import Numbers
from orderack.diagnostics.gap.signals import Signals, signals
from orderack.diagnostics.gap.stamps import DayFirst
from orderack.diagnostics.gap.telling import Told, tell
from orderack.diagnostics.gap.verdict import Judgement, judge

_CHANNELS = 40
"""More than this is no channel but a property of single orders."""


@dataclass(frozen=True)
class Options:
    """How the logs are to be read."""

    maps: tuple[str, ...] = ()
    """`orders.id=order_name` and so on."""
    zones: tuple[str, ...] = ()
    """`Europe/Berlin` for all logs, or `erp=Europe/Berlin` for one: of times that name no zone."""
    first: DayFirst | None = None


@dataclass(frozen=True)
class Report:
    """A diagnosis, and the data that the page draws and the lists hold."""

    diagnosis: Diagnosis
    joined: Joined
    flow: Flow
    channels: tuple[str, ...]
    judgement: Judgement
    signals: Signals
    zone: ZoneInfo


def diagnose(files: Mapping[str, Path], options: Options) -> Report:
    """From files: `orders`, `erp`, and what there is of the other three. Raises InvalidInput."""
    columns_told = overrides(options.maps)
    logs = {name: with_joint_columns(read_log(name, path), columns_told) for name, path in files.items()}
    zones = _zones(options.zones)
    mapped = _mapped(logs, columns_told, options.first)
    sources = {
        name: Source(log, mapped[name], zones.get(name, zones["all"]), options.first, _is_told(name, options.zones))
        for name, log in logs.items()
    }
    stock = sources.pop("stock", None)
    joined = join(sources)
    columns = tuple(one for each in mapped.values() for one in each)
    used = {name: zones.get(name, zones["all"]) for name in logs}
    told = Told(columns, used, "stock" in files, "confirmations" in files)
    return report(joined, stock, _zone(zones["all"]), told)


def report(joined: Joined, stock: Source | None, zone: ZoneInfo, told: Told) -> Report:
    """Of orders that are together already."""
    flow, names = flow_of(joined, zone)
    found = judge(flow, names)
    seen = found.ruling.finding.sequence if found.ruling.finding else None
    lists = signals(joined, stock, seen.skew if seen else 0.0)
    diagnosis = tell(joined, flow, names, found, lists, zone, told)
    return Report(diagnosis, joined, flow, names, found, lists, zone)


def flow_of(joined: Joined, zone: ZoneInfo) -> tuple[Flow, tuple[str, ...]]:
    """The orders with both times, and the channels' names."""
    both = joined.orders.filter(pl.col("captured").is_not_null() & pl.col("receipt").is_not_null())
    everything = joined.orders["captured"].drop_nulls().sort().to_numpy().astype(np.float64)
    names = _names(both)
    group = both["channel"].replace_strict(
        {name: place for place, name in enumerate(names)}, default=0, return_dtype=pl.Int64
    )
    captured = _numbers(both, "captured")
    local = pl.from_epoch(both["captured"].cast(pl.Int64), time_unit="s").dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(str(zone))
    hour = local.dt.hour().cast(pl.Float64) + local.dt.minute().cast(pl.Float64) / 60
    erp = next((each for each in joined.accounts if each.log == "erp"), None)
    flow = Flow(
        captured=captured,
        receipt=_numbers(both, "receipt"),
        received=_numbers(both, "received"),
        delivered=_numbers(both, "delivered"),
        confirmed=_numbers(both, "confirmed"),
        load=loaded(captured, everything, hour.to_numpy().astype(np.float64), group.to_numpy().astype(np.intp)),
        resolution=erp.resolution if erp else 0.0,
        guessed=any(each.guessed for each in joined.accounts),
    )
    return flow, names


def _names(both: pl.DataFrame) -> tuple[str, ...]:
    """The channels, the one with most orders first; one for all where there are too many to be channels."""
    counted = both["channel"].value_counts(sort=True)
    found = counted["channel"].to_list()
    return tuple(found) if 0 < len(found) <= _CHANNELS else ("all",)


def _numbers(frame: pl.DataFrame, column: str) -> Numbers:
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _mapped(
    logs: Mapping[str, Log], told: Mapping[tuple[str, str], str], first: DayFirst | None
) -> dict[str, tuple[Mapped, ...]]:
    """Every log's columns; the ids are those pairs that join most."""
    if absent := sorted({name for name, _ in told} - set(logs)):
        raise unusable(
            "--map", f"speaks of {absent[0]}, and there is no --{absent[0]}", "leave it out, or give the log"
        )
    mapped = {name: map_log(log, told, first) for name, log in logs.items()}
    for name in ("erp", "confirmations", "integration"):
        if name in logs:
            ours, theirs = matched_ids(logs["orders"], mapped["orders"], logs[name], mapped[name])
            if name == "erp":
                mapped["orders"] = with_id(mapped["orders"], ours)
            mapped[name] = with_id(mapped[name], theirs)
    return mapped


def _zones(given: Sequence[str]) -> dict[str, str]:
    """Zone by log, and of `all`: UTC where none is named."""
    found = {"all": "UTC"}
    for each in given:
        log, equals, zone = each.partition("=")
        name, zone = (log.strip(), zone.strip()) if equals else ("all", each.strip())
        if name not in ("all", "orders", "erp", "confirmations", "integration", "stock"):
            raise unusable("--time-zone", f"{name[:40]} is no log", "write NAME, or erp=NAME for one log's times")
        found[name] = str(_zone(zone))
    return found


def _is_told(log: str, given: Sequence[str]) -> bool:
    """Whether somebody named the zone of this log's times, or of all."""
    return any("=" not in each or each.partition("=")[0].strip() in (log, "all") for each in given)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise unusable("--time-zone", f"{name[:60]} is no time zone", "name one such as Europe/London") from None
