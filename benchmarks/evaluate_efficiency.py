"""What the evaluation engine costs beside the episodes, and what a second worker brings.

    python benchmarks/evaluate_efficiency.py --episodes 40 --workers 2

Workers are started and environments made before the clock runs. "busy" is the share of the
workers' time that lies inside episodes (resets, steps and the policy's calls, as run_unit times
them): what is missing is the engine's, the ledger's and the wait for the last worker. CPU time is
there because wall times of a machine that others use say little.
"""

import argparse
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from uamsim.contract import EpisodeRecord
from uamsim.evaluation.backends.inline import InlineBackend
from uamsim.evaluation.backends.jobs import RolloutBackend, RolloutJob
from uamsim.evaluation.backends.ledger import Ledger
from uamsim.evaluation.backends.ray import RayBackend
from uamsim.orchestration.evaluate.policies import find_entrants
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.evaluate.run import plan

WARM_UP_SEED = 5_000_000


@dataclass(kw_only=True)
class TimedLedger(Ledger):
    """Counts the time that storing takes (s)."""

    path: Path
    store_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.path)

    def add(self, job: RolloutJob, record: EpisodeRecord) -> None:
        """Stores and takes the time."""
        started = time.perf_counter()
        super().add(job, record)
        self.store_s.append(time.perf_counter() - started)


def worker_cpu_s() -> float:
    """CPU time so far of this process and of all workers on this machine."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                entry.name == str(os.getpid())
                or b"ray::_Worker" in (entry / "cmdline").read_bytes().split(b"\0")[0]
            ):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(
    label: str, backend: RolloutBackend, num_workers: int, jobs: list[RolloutJob], warm_up: int
) -> float:
    """Prints a row of figures and returns episodes/s."""
    with TemporaryDirectory() as folder, TimedLedger(path=Path(folder) / "l.sqlite") as ledger:
        for job in jobs:
            seeds = range(WARM_UP_SEED, WARM_UP_SEED + warm_up)
            ledger.run(backend, [job.with_seeds(tuple(seeds))])
        ledger.store_s.clear()
        cpu, started = worker_cpu_s(), time.perf_counter()
        records = ledger.run(backend, jobs)
        wall_s, cpu_s = time.perf_counter() - started, worker_cpu_s() - cpu
    count, inside_s = len(records), sum(record.wall_s for record in records)
    print(
        f"| {label} | {count / wall_s:.2f} | {cpu_s / count * 1000:.0f} | "
        f"{inside_s / count * 1000:.0f} | {inside_s / (wall_s * num_workers):.3f} | "
        f"{sum(ledger.store_s) / count * 1000:.2f} |",
        flush=True,
    )
    return count / wall_s


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--policy", default="random")
    parser.add_argument("--env", default="pick_place")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    request = EvaluationRequest(
        policy=args.policy,
        env=(args.env,),
        episodes=args.episodes,
        batch=args.batch,
        controls=False,
    )
    jobs = plan(request, find_entrants(request))
    print(f"{args.policy} on {args.env}, {args.episodes} episodes, {args.batch} side by side; ")
    print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}\n")
    print("| | episodes/s | CPU ms/episode | inside ms/episode | busy | ledger ms/episode |")
    print("| --- | --- | --- | --- | --- | --- |")
    inline = InlineBackend()
    measure("this process", inline, 1, jobs, args.batch)
    inline.close()
    rates = {}
    for workers in (1, args.workers):
        backend = RayBackend(workers)
        try:
            rates[workers] = measure(
                f"{workers} worker(s)", backend, workers, jobs, 2 * args.batch * workers
            )
        finally:
            backend.close()
    ratio = rates[args.workers] / (args.workers * rates[1])
    print(f"\n{ratio:.2f} of {args.workers} times one worker's episodes/s")


if __name__ == "__main__":
    main()
