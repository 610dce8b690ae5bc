"""results.json: its check, and the questions that the report asks it."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from uamsim.contract import IN_DOMAIN
from uamsim.errors import ResultsError
from uamsim.reporting.labels import MODE_TITLES, colours, spoken
from uamsim.statistics import Estimate, over_seeds, rate, wider

Row = dict[str, Any]

SCHEMA_VERSION = 2
"""Raised when results.json changes its form; what the schema asks for."""
MODES: tuple[str, ...] = ("unfrozen", "frozen", "cotrained", "insulated", "restored")
KEEPING = ("frozen", "restored")
"""Modes in which S stays S₀ by construction."""


def results_schema() -> dict[str, Any]:
    """The JSON schema of results.json (draft 2020-12), as packaged."""
    text = resources.files("uamsim.reporting").joinpath("results.schema.json").read_text("utf-8")
    return json.loads(text)


def validate_results(value: Mapping[str, Any]) -> None:
    """Checks results against the schema, and that their numbers agree with each other.

    Raises:
        ResultsError: names the first field that is wrong, what it holds and what it should.
    """
    if value.get("schema_version") != SCHEMA_VERSION:
        raise ResultsError(
            f"results.json: schema_version is {value.get('schema_version')!r}, expected "
            f"{SCHEMA_VERSION}. Run the same command again with --resume: it writes results.json "
            "anew from what the folder holds."
        )
    validator = jsonschema.Draft202012Validator(results_schema())
    errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
    if errors:
        where = "/".join(map(str, errors[0].path)) or "the top level"
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ResultsError(f"results.json: at {where}: {errors[0].message}{more}.")
    for part in ("rows", "curves"):
        for index, row in enumerate(value.get(part, ())):
            _check_rate(row, f"{part}/{index}")
    for part, keys in (
        ("rows", ("policy", "env_id", "task", "split")),
        ("retention", ("variant", "e_sem", "seed")),
        ("curves", ("variant", "e_sem", "seed", "task", "step")),
        ("suites", ("policy", "suite", "split")),
        ("comparisons", ("policy", "reference", "task", "split")),
        ("chains", ("policy", "env_id", "split")),
    ):
        counts = Counter(tuple(row[key] for key in keys) for row in value.get(part, ()))
        repeated = [key for key, count in counts.items() if count > 1]
        if repeated:
            raise ResultsError(f"results.json: {part} holds {repeated[0]} more than once.")


def _check_rate(row: Row, where: str) -> None:
    successes, episodes = row["successes"], row["episodes"]
    if successes > episodes:
        raise ResultsError(f"results.json: {where}: {successes} successes of {episodes} episodes.")
    if abs(row["rate"] - successes / episodes) > 1e-6:
        raise ResultsError(
            f"results.json: {where}: rate {row['rate']} is not {successes}/{episodes}."
        )
    if not row["ci_low"] - 1e-9 <= row["rate"] <= row["ci_high"] + 1e-9:
        raise ResultsError(
            f"results.json: {where}: rate {row['rate']} lies outside "
            f"[{row['ci_low']}, {row['ci_high']}]."
        )
    outcomes = row.get("outcomes")
    if outcomes is not None and (len(outcomes), sum(outcomes)) != (episodes, successes):
        raise ResultsError(
            f"results.json: {where}: outcomes count {sum(outcomes)}/{len(outcomes)}, "
            f"expected {successes}/{episodes}."
        )


@dataclass(frozen=True)
class Results:
    """A checked results.json with lookups; every pooled number says how it pools.

    Attributes:
        raw: the JSON object as read.
    """

    raw: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads and checks a file.

        Raises:
            ResultsError: the file is missing, is not JSON, or does not follow the schema.
        """
        try:
            value = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ResultsError(f"{path} does not exist; run an experiment first.") from None
        except ValueError as error:
            raise ResultsError(f"{path} is not JSON: {error}.") from error
        validate_results(value)
        if value["kind"] != "experiment":
            raise ResultsError(f"{path}: expected results of an experiment, got of an evaluation.")
        return cls(value)

    def _present(self, key: str, order: Sequence[str]) -> list[str]:
        policies = [row for row in self.raw["rows"] if row["control"] is None]
        found = dict.fromkeys(row[key] for row in [*policies, *self.raw["retention"]] if key in row)
        known = [name for name in order if name in found]
        return known + [name for name in found if name not in order]

    @cached_property
    def _variants(self) -> dict[str, Row]:
        return {entry["name"]: entry for entry in self.raw["names"]["variants"]}

    @cached_property
    def _splits(self) -> dict[str, str]:
        return {entry["name"]: entry["title"] for entry in self.raw["names"]["splits"]}

    def variant_title(self, variant: str) -> str:
        """A variant's name for readers."""
        return self._variants[variant]["title"] if variant in self._variants else spoken(variant)

    def variant_summary(self, variant: str) -> str:
        """What a variant is; "" where the results do not say."""
        return self._variants[variant]["summary"] if variant in self._variants else ""

    def split_title(self, split: str) -> str:
        """A split's name for readers."""
        return self._splits.get(split, spoken(split))

    @cached_property
    def variant_colours(self) -> dict[str, str]:
        """One colour a variant, the same in every figure and run whose names are the same."""
        return colours([*self._variants, *(v for v in self.variants if v not in self._variants)])

    @cached_property
    def _policies(self) -> dict[str, Row]:
        return {row["policy"]: row for row in self.raw["rows"]}

    def policy_title(self, policy: str) -> str:
        """A trained policy or a control in words."""
        row = self._policies[policy]
        parts = [
            row["control"] or "",
            self.variant_title(row["variant"]) if row["variant"] else "",
            MODE_TITLES.get(row["e_sem"], row["e_sem"]) if row["e_sem"] else "",
            f"seed {row['seed']}" if len(self.seeds) > 1 and row["variant"] else "",
        ]
        return ", ".join(filter(None, parts)) or policy

    @cached_property
    def variants(self) -> list[str]:
        """Variants that were run, in the order that the results name them in."""
        return self._present("variant", list(self._variants))

    @cached_property
    def modes(self) -> list[str]:
        """How E_sem was treated: unfrozen, frozen, restored, as far as run."""
        return self._present("e_sem", MODES)

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks that were rolled out."""
        return self._present("task", ())

    @cached_property
    def splits(self) -> list[str]:
        """Splits that were rolled out, in-domain first."""
        return self._present("split", list(dict.fromkeys([IN_DOMAIN, *self._splits])))

    @cached_property
    def ood_splits(self) -> list[str]:
        """Every split but in-domain."""
        return [split for split in self.splits if split != IN_DOMAIN]

    @cached_property
    def seeds(self) -> list[int]:
        """Training seeds."""
        trained = [row for row in self.raw["rows"] if row["variant"]]
        return sorted({row["seed"] for row in [*trained, *self.raw["retention"]]})

    def rows(
        self,
        variant: str,
        mode: str,
        splits: Iterable[str] = (IN_DOMAIN,),
        *,
        task: str | None = None,
        seed: int | None = None,
    ) -> list[Row]:
        """Success rows of one variant and mode, of one task or all."""
        wanted = set(splits)
        return [
            row
            for row in self.raw["rows"]
            if row["control"] is None
            and row["variant"] == variant
            and row["e_sem"] == mode
            and row["split"] in wanted
            and task in (None, row["task"])
            and seed in (None, row["seed"])
        ]

    def success(
        self,
        variant: str,
        mode: str,
        splits: Iterable[str] = (IN_DOMAIN,),
        *,
        task: str | None = None,
        confidence: float = 0.95,
    ) -> Estimate | None:
        """Success rate with its interval, None where not run.

        All episodes of the chosen tasks, splits and training seeds are pooled for the rate. Its
        interval is Wilson's over the episodes, widened to the t interval between training seeds
        where there are several.
        """
        rows = self.rows(variant, mode, splits, task=task)
        if not rows:
            return None
        pooled = pool(rows, confidence=confidence)
        between = over_seeds(list(seed_rates(rows).values()), confidence=confidence)
        hull = wider(pooled, between)
        return dataclasses.replace(
            hull, ci_low=max(0.0, hull.ci_low), ci_high=min(1.0, hull.ci_high)
        )

    def retention(self, variant: str, mode: str) -> list[Row]:
        """Retention rows of one variant and mode, one a training seed."""
        return [
            row
            for row in self.raw["retention"]
            if row["variant"] == variant and row["e_sem"] == mode
        ]

    def retained(self, variant: str, mode: str, field: str) -> Estimate | None:
        """Mean over seeds of a retention field ("S", "delta_corrected", ...) with a t interval."""
        values = [row[field] for row in self.retention(variant, mode)]
        values = [value for value in values if value is not None]
        return over_seeds(values) if values else None

    def kept(self, variant: str, mode: str) -> Estimate | None:
        """S / S₀ = 1 - Δ, mean over seeds with a t interval."""
        delta = self.retained(variant, mode, "delta")
        if delta is None:
            return None
        return Estimate(
            value=1 - delta.value, ci_low=1 - delta.ci_high, ci_high=1 - delta.ci_low, n=delta.n
        )

    @cached_property
    def before(self) -> float | None:
        """S₀, the mean of the rows; None where no retention was measured."""
        values = [row["S0"] for row in self.raw["retention"]]
        return sum(values) / len(values) if values else None

    @property
    def controls(self) -> list[Row]:
        """The rows of all controls."""
        return [row for row in self.raw["rows"] if row["control"] is not None]

    def curve(self, variant: str, mode: str, seed: int) -> list[tuple[int, float, float]]:
        """(step, success pooled over tasks, S) along one training, by step."""
        steps: dict[int, list[Row]] = {}
        for row in self.raw.get("curves", ()):
            if (row["variant"], row["e_sem"], row["seed"]) == (variant, mode, seed):
                steps.setdefault(row["step"], []).append(row)
        return [
            (step, pool(rows).value, float(rows[0]["S"])) for step, rows in sorted(steps.items())
        ]


def pool(rows: Sequence[Row], *, confidence: float = 0.95) -> Estimate:
    """All episodes of these rows together, with Wilson's interval."""
    successes, episodes = sum(r["successes"] for r in rows), sum(r["episodes"] for r in rows)
    return rate(successes, episodes, confidence=confidence).estimate


def seed_rates(rows: Sequence[Row]) -> dict[int, float]:
    """Pooled success rate of each training seed."""
    seeds = sorted({row["seed"] for row in rows})
    return {seed: pool([row for row in rows if row["seed"] == seed]).value for seed in seeds}
