"""What processes tell, read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer of `/metrics`."""

    samples: dict[str, dict[Labels, float]]

    @classmethod
    def of(cls, url: str, **headers: str) -> Scrape:
        """Ask."""
        answer = httpx.get(f"{url}/metrics", headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return cls(found)

    def value(self, name: str, **labels: Any) -> float:
        """Return the sum of the series that have these labels; 0 where there is none."""
        wanted = {(label, str(value)) for label, value in labels.items()}
        return sum(value for found, value in self.samples.get(name, {}).items() if wanted <= found)


def health(url: str, path: str = "/readyz") -> tuple[int, dict[str, str | None]]:
    """Return the status, and the cause of each check that is not well."""
    answer = httpx.get(url + path, timeout=30)
    return answer.status_code, {
        name: check["cause"] for name, check in answer.json()["checks"].items() if not check["ok"]
    }
