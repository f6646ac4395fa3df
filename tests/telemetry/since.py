"""What a figure of this process has gained since a test began."""

from prometheus_client import CollectorRegistry

from orderack.telemetry import metrics


class Since:
    """The registry as it was; `of` tells what has come since."""

    def __init__(self, registry: CollectorRegistry = metrics.REGISTRY) -> None:
        self._registry = registry
        self._before = self._now()

    def _now(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    def gained(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample that has risen, by how much."""
        now = self._now()
        return {key: value - self._before.get(key, 0.0) for key, value in now.items() if value != self._before.get(key)}

    def of(self, name: str, **labels: str) -> float:
        """By how much the samples of this name with these labels have risen together."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.gained().items() if found == name and wanted <= has)
