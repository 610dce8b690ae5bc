"""Success on every out-of-distribution axis, severity by severity.

    python benchmarks/ood_axes.py --policies no_dorsal=RUN/trials/no_dorsal-unfrozen-seed0 ...

plays the scripted expert and trained policies (a trial's folder or a checkpoint each) on all axes
at severities 0 to 5 in two tasks, the same seeds everywhere. Every finished piece is kept in
OUT/rates.json, so that the same command goes on where it stopped. At the end OUT/axes.svg and
OUT/scenes.png are drawn, and the tables of OUT.md are written anew below the words above them.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from uamsim.contract import Policy
from uamsim.errors import ConfigError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import EnvPool
from uamsim.evaluation.experts import play_expert
from uamsim.evaluation.rollout import run_unit
from uamsim.evaluation.videos import label_font
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.splits import GRIDS, SPLITS
from uamsim.perturbations.values import LAYERS, MAX_SEVERITY
from uamsim.serving.refs import CheckpointFactory
from uamsim.statistics import interaction, mcnemar_exact, rate
from uamsim.worlds import resolve_environment

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "results" / "ood_axes"
TASKS = ("press_button", "pick_place")
SEED0 = 2_000_000
BATCH = 16
ALPHA = 0.05
_VISIBLE = ("objects", "scene", "sensors")

Key = tuple[str, str, str, int]
"""Player, task, axis or split, severity; 0 for splits, of which "in_domain" is one."""

_policies: dict[str, Policy] = {}
_pool = EnvPool()


def play(player: str, path: str, task: str, axis: str, severity: int, episodes: int) -> Any:
    """Outcomes of one cell and the seconds it took, or why the task cannot carry the axis."""
    started = time.perf_counter()
    env_id, seeds = resolve_environment(task), tuple(range(SEED0, SEED0 + episodes))
    split = f"{axis}@{severity}" if severity else axis
    try:
        if player == "expert":
            outcomes = [e.record.success for e in play_expert(env_id, seeds, split=split)]
        else:
            if player not in _policies:
                _policies[player] = CheckpointFactory(name=player, checkpoint=Path(path))()
            policy = _policies[player]
            kwargs = {
                "control": policy.spec.control,
                "cameras": list(policy.spec.cameras),
                "image_size": list(policy.spec.image_size),
            }
            unit = RolloutUnit(
                env_id=env_id, split=split, seeds=seeds, env_kwargs=kwargs, batch_envs=BATCH
            )
            outcomes = [r.success for r in run_unit(policy, unit, pool=_pool)]
    except ConfigError as error:
        return {"cannot": str(error)}
    return {"outcomes": [int(o) for o in outcomes], "wall_s": time.perf_counter() - started}


def grades(axis: str) -> list[int]:
    """The severities that differ from the next one; an axis that is on or off has 5 alone."""
    values = {}
    for severity in range(1, MAX_SEVERITY + 1):
        values[severity] = AXES[axis].at(severity)
    return [s for s in values if s == MAX_SEVERITY or values[s] != values[s + 1]]


def splits() -> list[str]:
    """The named splits and the cells of the grids."""
    crossed = [name for grid in GRIDS.values() for row in grid for name in row]
    return list(dict.fromkeys(["in_domain", *SPLITS, *crossed]))


def cells(players: list[str]) -> Iterator[Key]:
    """Everything that is to be played."""
    for task in TASKS:
        for split in splits():
            for player in players:
                yield player, task, split, 0
        for axis in AXES:
            for severity in grades(axis):
                for player in players:
                    yield player, task, axis, severity


def run(policies: dict[str, str], episodes: int, workers: int, out: Path) -> dict[str, Any]:
    """Plays what is not yet in ``out/rates.json`` and returns all of it."""
    path = out / "rates.json"
    done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    players = ["expert", *policies]
    waiting = [key for key in cells(players) if _name(key) not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = {
            pool.submit(play, key[0], policies.get(key[0], ""), *key[1:], episodes): key
            for key in waiting
        }
        for count, job in enumerate(as_completed(jobs), 1):
            done[_name(jobs[job])] = job.result()
            if count % 20 == 0 or count == len(jobs):
                partial = path.with_suffix(".partial")
                partial.write_text(json.dumps(done, sort_keys=True) + "\n")
                partial.replace(path)
                print(f"{count}/{len(jobs)}", flush=True)
    return done


def _name(key: Key) -> str:
    return "/".join(map(str, key))


def pooled(done: dict[str, Any], player: str, axis: str, severity: int) -> list[int] | None:
    """Outcomes of all tasks that carry the axis at this severity, None where none does."""
    outcomes: list[int] = []
    for task in TASKS:
        # The control at severity 0 is of the same tasks as the rest of the axis.
        if "cannot" in done[_name((player, task, axis, MAX_SEVERITY))]:
            continue
        key = (player, task, axis if severity else "in_domain", severity)
        outcomes += done.get(_name(key), {}).get("outcomes", [])
    return outcomes or None


def rises(curve: list[list[int] | None]) -> str:
    """Whether success rises with severity: McNemar's exact test of every pair, by Holm.

    The episodes of all severities share their seeds, so that pairs of outcomes are compared.
    """
    tests = []
    for low in range(len(curve)):
        for high in range(low + 1, len(curve)):
            first, second = curve[low], curve[high]
            if first is None or second is None or len(first) != len(second):
                continue
            gained = sum(b > a for a, b in zip(first, second, strict=True))
            lost = sum(b < a for a, b in zip(first, second, strict=True))
            p = mcnemar_exact(gained, lost)
            # One-sided: half of the two-sided p where the gain is larger.
            tests.append((p / 2 if gained > lost else 1.0, low, high))
    tests.sort()
    for rank, (p, low, high) in enumerate(tests):
        if p * (len(tests) - rank) <= ALPHA:
            return f"rises from {low} to {high}"
        break
    return "does not rise"


def _percent(outcomes: list[int] | None) -> str:
    if outcomes is None:
        return "–"
    value = rate(sum(outcomes), len(outcomes))
    return f"{value.rate:.0%} [{100 * value.ci_low:.0f}, {100 * value.ci_high:.0f}]"


def tables(done: dict[str, Any], players: list[str]) -> str:
    """A table for each layer."""
    lines = []
    head = " | ".join(map(str, range(MAX_SEVERITY + 1)))
    for layer in LAYERS:
        lines += [f"\n### {layer}\n", f"| axis | player | {head} | with severity |"]
        lines.append("| --- | --- |" + " --- |" * (MAX_SEVERITY + 2))
        for axis, cls in AXES.items():
            if cls.layer != layer:
                continue
            for player in players:
                if pooled(done, player, axis, MAX_SEVERITY) is None:
                    continue
                curve = [pooled(done, player, axis, s) for s in range(MAX_SEVERITY + 1)]
                shown = " | ".join(map(_percent, curve))
                lines.append(f"| {axis} | {player} | {shown} | {rises(curve)} |")
    return "\n".join(lines) + "\n"


def split_tables(done: dict[str, Any], players: list[str]) -> str:
    """Success on every named split, the grids, and whether their factors interact."""
    lines = ["| split | " + " | ".join(players) + " |", "| --- |" + " --- |" * len(players)]
    for split in splits():
        shown = " | ".join(_percent(_cell(done, player, split)) for player in players)
        lines.append(f"| {split} | {shown} |")
    for name, grid in GRIDS.items():
        lines += [f"\n### {name}\n", "| player | rows | plain | with | interaction |"]
        lines.append("| --- | --- | --- | --- | --- |")
        (plain, other), *rows = grid
        for player in players:
            a, c = _cell(done, player, plain), _cell(done, player, other)
            lines.append(f"| {player} | {plain} | {_percent(a)} | {_percent(c)} | |")
            for first, both in rows:
                b, d = _cell(done, player, first), _cell(done, player, both)
                contrast = interaction(*([bool(o) for o in cell] for cell in (a, b, c, d)))
                lines.append(
                    f"| {player} | {first} | {_percent(b)} | {_percent(d)} | {contrast.value:+.0%} "
                    f"[{100 * contrast.ci_low:+.0f}, {100 * contrast.ci_high:+.0f}] |"
                )
    return "\n".join(lines) + "\n"


def _cell(done: dict[str, Any], player: str, split: str) -> list[int]:
    return [o for task in TASKS for o in done[_name((player, task, split, 0))].get("outcomes", [])]


def draw_curves(done: dict[str, Any], players: list[str], path: Path) -> None:
    """Success over severity, a panel an axis."""
    axes = [a for a in AXES if any(pooled(done, p, a, MAX_SEVERITY) for p in players)]
    columns = 6
    rows = -(-len(axes) // columns)
    figure = Figure(figsize=(2.1 * columns, 1.8 * rows), layout="constrained")
    colours = ("#888888", "#0072b2", "#d55e00", "#009e73")
    for index, axis in enumerate(axes):
        panel = figure.add_subplot(rows, columns, index + 1)
        for player, colour in zip(players, colours, strict=False):
            curve = [pooled(done, player, axis, s) for s in range(MAX_SEVERITY + 1)]
            points = [(s, rate(sum(c), len(c))) for s, c in enumerate(curve) if c is not None]
            x = [s for s, _ in points]
            panel.plot(x, [r.rate for _, r in points], color=colour, label=player, lw=1.4)
            low, high = [r.ci_low for _, r in points], [r.ci_high for _, r in points]
            panel.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        panel.set_title(axis.replace("_", " "), fontsize=9)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xticks(range(MAX_SEVERITY + 1))
        panel.set_yticks(
            [0, 0.5, 1], ["0", "50%", "100%"] if index % columns == 0 else ["", "", ""]
        )
        panel.tick_params(labelsize=8)
        if index == 0:
            panel.legend(fontsize=7, loc="lower left", frameon=False)
    figure.savefig(path, metadata={"Date": None})


def draw_scenes(path: Path, seed: int = 5) -> None:
    """What a scene looks like on each visible axis at each severity."""
    height, width = 120, 160
    rows = []
    for axis in (axis for axis, cls in AXES.items() if cls.layer in _VISIBLE):
        row = []
        for severity in range(MAX_SEVERITY + 1):
            value = () if severity == 0 else (AXES[axis].at(severity),)
            try:
                env = gym.make(
                    resolve_environment("pick_place"),
                    cameras=("primary",),
                    image_size=(height, width),
                    render_profile="quality",
                    perturbations=value,
                    disable_env_checker=True,
                )
            except ConfigError:
                break
            picture = env.reset(seed=seed)[0]["pixels"]["primary"]
            env.close()
            image = Image.fromarray(picture)
            ImageDraw.Draw(image).text(
                (4, 3), f"{axis.replace('_', ' ')} {severity}", font=label_font(11), fill="white",
                stroke_fill="black", stroke_width=1,
            )  # fmt: skip
            row.append(np.asarray(image))
        if len(row) == MAX_SEVERITY + 1:
            rows.append(np.hstack(row))
    Image.fromarray(np.vstack(rows)).quantize(255).save(path, optimize=True)


def wordings(seeds: int = 1) -> str:
    """One instruction on each axis of language at each severity."""
    lines = ["| axis | severity | instruction |", "| --- | --- | --- |"]
    for axis, cls in AXES.items():
        for severity in grades(axis) if cls.layer == "language" else ():
            env = gym.make(
                resolve_environment("pick_place"), cameras=(), perturbations=(cls.at(severity),),
                disable_env_checker=True,
            )  # fmt: skip
            lines.append(f"| {axis} | {severity} | {env.reset(seed=seeds)[1]['instruction']} |")
            env.close()
    return "\n".join(lines) + "\n"


def main() -> None:
    """Plays, and writes the tables, curves and scenes."""
    parser = argparse.ArgumentParser(description="Measures every axis at every severity.")
    parser.add_argument("--policies", nargs="*", default=[], metavar="NAME=PATH")
    parser.add_argument("--episodes", type=int, default=50, help="of each task in each cell")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    policies = {}
    for item in args.policies:
        name, _, path = item.partition("=")
        files = sorted(Path(path).glob("*.safetensors")) if Path(path).is_dir() else [Path(path)]
        policies[name] = str(files[-1])
    args.out.mkdir(parents=True, exist_ok=True)
    done = run(policies, args.episodes, args.workers, args.out)
    players = ["expert", *policies]
    page = args.out.with_suffix(".md")
    text = page.read_text() if page.exists() else "# Success out of distribution\n"
    page.write_text(
        text.split("\n## Splits\n")[0]
        + f"\n## Splits\n\n{split_tables(done, players)}"
        + f"\n## Axes\n{tables(done, players)}"
        + f"\n## One sentence on every axis of language\n\n{wordings()}"
    )
    draw_curves(done, players, args.out / "axes.svg")
    draw_scenes(args.out / "scenes.png")
    wall = sum(cell.get("wall_s", 0.0) for cell in done.values())
    count = sum(len(cell.get("outcomes", ())) for cell in done.values())
    print(f"{count} episodes, {wall / 60:.0f} worker minutes")


if __name__ == "__main__":
    main()
