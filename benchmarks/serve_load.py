"""Many clients at one policy server: errors, latency, memory.

    python benchmarks/serve_load.py --minutes 10
    python benchmarks/serve_load.py CHECKPOINT --clients 64 --minutes 10

Starts ``uamsim serve`` as a process of its own. Every client asks once a chunk, as a robot would,
and each has three requests that it repeats: an answer that differs by a bit from the one before
is an error. One more client is rude: it sends garbage, leaves without a word, and comes back.
Prints Markdown, and exits with 1 on an error or where memory grows. Linux only: it reads /proc.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from websockets.asyncio.client import ClientConnection, connect

from uamsim.serving.protocol import decode, encode

PROMPTS = (
    "press the red round button",
    "put the blue cube on the plate",
    "press the green square button, please",
    "open the drawer",
)
WARM_UP_SHARE = 0.1
GROWTH_LIMIT_MB = 10.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is run.

    Attributes:
        policy: a checkpoint, or "random".
        clients: that ask at the same time.
        minutes: how long.
        period_s: from one request of a client to its next, or 0 for as fast as answers come.
        batch_size: of the server.
    """

    policy: Annotated[str, tyro.conf.Positional] = "random"
    clients: int = 64
    minutes: float = 10.0
    period_s: float = 0.48
    batch_size: int = 8


@dataclass
class Tally:
    """What happened."""

    latencies_s: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    rude: int = 0


def main(options: Options) -> int:
    code = "import sys; from uamsim.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "serve", options.policy, "--port", "0"]
    command += ["--batch-size", str(options.batch_size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            if "ws://" not in line:
                raise SystemExit("the server did not start")
            uri = "ws://" + line.split("ws://")[1].split(";")[0]
            tally, memory_mb = asyncio.run(load(uri, options, server.pid))
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(timeout=30)
    if status:
        tally.errors.append(f"the server ended with status {status}")
    return report(options, tally, memory_mb)


async def load(uri: str, options: Options, pid: int) -> tuple[Tally, list[float]]:
    """Runs the clients; the server's memory (MB) after warming up, then ten times a minute."""
    tally, end = Tally(), time.monotonic() + options.minutes * 60
    clients = [asyncio.create_task(client(uri, k, options, end, tally))
               for k in range(options.clients)]  # fmt: skip
    clients.append(asyncio.create_task(rude_client(uri, end, tally)))
    await asyncio.sleep(options.minutes * 60 * WARM_UP_SHARE)
    memory_mb = [rss_mb(pid)]
    while time.monotonic() < end:
        await asyncio.sleep(min(6.0, max(0.1, end - time.monotonic())))
        memory_mb.append(rss_mb(pid))
    for outcome in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(outcome, BaseException):
            tally.errors.append(repr(outcome))
    return tally, memory_mb


async def client(uri: str, index: int, options: Options, end: float, tally: Tally) -> None:
    rng = np.random.default_rng(index)
    async with connect(uri, compression=None, max_size=None, proxy=None) as connection:
        spec = decode(await connection.recv(decode=False))
        requests = [make_request(spec, rng, index, step) for step in range(3)]
        known: dict[int, bytes] = {}
        await asyncio.sleep(rng.uniform(0, options.period_s))
        number = 0
        while time.monotonic() < end:
            which = number % len(requests)
            started = time.perf_counter()
            await connection.send(requests[which])
            answer = await receive(connection)
            latency_s = time.perf_counter() - started
            if isinstance(answer, str):
                tally.errors.append(answer)
                continue
            actions = answer["actions"].tobytes()
            if known.setdefault(which, actions) != actions:
                tally.errors.append(f"client {index}: another answer to request {which}")
            tally.latencies_s.append(latency_s)
            tally.infer_ms.append(answer["server_timing"]["infer_ms"])
            tally.shared.append(answer["server_timing"]["batch_requests"])
            number += 1
            await asyncio.sleep(max(0.0, options.period_s - latency_s))


def make_request(spec: dict, rng: np.random.Generator, index: int, step: int) -> bytes:
    shape = (*spec["image_size"], 3)
    return encode(
        {
            "pixels": {name: rng.integers(0, 256, shape, np.uint8) for name in spec["cameras"]},
            "agent_pos": rng.normal(size=spec["action_dim"]).astype(np.float32),
            "prompt": PROMPTS[index % len(PROMPTS)],
            "seed": index,
            "step": step,
        }
    )


async def rude_client(uri: str, end: float, tally: Tally) -> None:
    """Garbage once a second, on a connection that is then dropped."""
    rng = np.random.default_rng(0)
    while time.monotonic() < end:
        async with connect(uri, compression=None, max_size=None, proxy=None) as connection:
            await receive(connection)
            await connection.send(rng.bytes(1000))
            if not isinstance(await receive(connection), str):
                tally.errors.append("garbage was answered with actions")
            await connection.send(encode({"prompt": "half a request"}))
            connection.transport.abort()
        tally.rude += 1
        await asyncio.sleep(1.0)


async def receive(connection: ClientConnection):
    frame = await connection.recv()
    return frame if isinstance(frame, str) else decode(frame)


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the server is gone")


def report(options: Options, tally: Tally, memory_mb: list[float]) -> int:
    latency_ms = np.array(tally.latencies_s) * 1000
    p50, p95, p99 = np.percentile(latency_ms, [50, 95, 99])
    growth_mb = memory_mb[-1] - memory_mb[0]
    rows = {
        "policy": Path(options.policy).name,
        "clients": f"{options.clients}, each {options.period_s:g} s, for {options.minutes:g} min",
        "requests": f"{len(latency_ms)} ({len(latency_ms) / options.minutes / 60:.0f} a second)",
        "errors": len(tally.errors),
        "rude connections": tally.rude,
        "latency p50 / p95 / p99 / max": f"{p50:.1f} / {p95:.1f} / {p99:.1f} / "
        f"{latency_ms.max():.1f} ms",
        "inference p50": f"{np.median(tally.infer_ms):.1f} ms",
        "requests in a batch of " + str(options.batch_size): f"{np.mean(tally.shared):.1f}",
        "memory after warming up, at each quarter": " / ".join(
            f"{memory_mb[(len(memory_mb) - 1) * k // 4]:.1f}" for k in range(5)
        )
        + " MB",
        "machine": f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}",
    }
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    for error in sorted(set(tally.errors))[:10]:
        print(f"error: {error}", file=sys.stderr)
    return int(bool(tally.errors) or growth_mb > GROWTH_LIMIT_MB)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(tyro.cli(Options, description=__doc__)))
