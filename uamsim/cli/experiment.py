"""`uamsim experiment`: lists experiments, describes one, or runs it."""

import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from uamsim.bounds import Workers, check_bounds
from uamsim.cli.config_file import FLAG, merged, read_config
from uamsim.errors import ConfigError, UamsimError, UnknownNameError
from uamsim.training.config import RuntimeConfig

if TYPE_CHECKING:
    from uamsim.orchestration.spec import ExperimentSpec, LatencySpec

DEFAULT_SCALE = "tiny"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run, as opposed to what.

    Attributes:
        runner: "ray" runs trials side by side with Ray Tune; "inline" in this process.
        workers: trials, roll-outs and renderings side by side; 0 takes every CPU.
        out: folder of the run.
        resume: go on in a folder that holds this experiment already.
        pretrain: make the models anew that would otherwise come with the package.
        dry_run: print parameters, FLOPs, memory and expected time, and stop.
        cache: folder of the artifacts that runs share; $UAMSIM_CACHE sets it too.
        runtime: how trials train.
    """

    out: Path
    cache: Path

    runner: str = "ray"
    workers: Workers = 0
    resume: bool = False
    pretrain: bool = False
    dry_run: bool = False
    runtime: Annotated[RuntimeConfig, tyro.conf.arg(name="")] = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        check_bounds(self, "--")


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim experiment``.

    Returns:
        The exit status: 0 done, 1 failed, 130 interrupted.

    Raises:
        UamsimError: with a message for the user.
    """
    words = list(argv)
    name = next((word for word in words if not word.startswith("-")), None)
    if not words or "--list" in words or words in (["-h"], ["--help"]):
        print(listing())
        return 0
    if name is None or words[0] != name:
        raise ConfigError(
            "the experiment's name comes first: uamsim experiment NAME [OPTIONS]. "
            "uamsim experiment --list shows the names."
        )
    options, spec = parse(name, words[1:])
    from uamsim.orchestration.spec import LatencySpec

    if isinstance(spec, LatencySpec):
        return _time(spec, options, words)
    if options.dry_run:
        from uamsim.orchestration.experiment.estimate import describe

        print(describe(spec, options.workers))
        return 0
    return _run(spec, options, words)


def listing() -> str:
    """The experiments, a line each."""
    from uamsim.orchestration.experiments import list_experiments

    found = list_experiments()
    width = max(map(len, found), default=0)
    lines = [f"  {name:<{width}}  {summary}" for name, summary in found.items()]
    return "\n".join(
        [
            "usage: uamsim experiment NAME|FILE.py [--scale debug|tiny|small|paper]",
            "       [--runner ray|inline] [--workers N] [--seeds 0 1 2] [--out DIR] [--resume]",
            "       [--pretrain] [--init WEIGHTS] [--world WORLD] [--data DATASET] [--config FILE]",
            "       [--dry-run]",
            "       [any config field by its name, for example --tuning.steps 100]",
            "",
            *(lines or ["  no experiments found"]),
            "",
            "uamsim experiment NAME --help shows every field with its value.",
        ]
    )


def parse(name: str, words: Sequence[str]) -> tuple[Options, "ExperimentSpec | LatencySpec"]:
    """Options and the experiment, with the fields that the words change.

    Raises:
        UnknownNameError: an unknown experiment, scale, runner or other name.
        ConfigError: a value that its field does not allow, or no such file of ``--config``.
        SystemExit: an unknown flag (tyro names the nearest), or --help.
    """
    from uamsim.jsonable import from_json, to_json
    from uamsim.orchestration.artifacts.given_data import fit_to_data
    from uamsim.orchestration.artifacts.public_weights import fit_to_weights
    from uamsim.orchestration.artifacts.store import default_root
    from uamsim.orchestration.experiments import build_any
    from uamsim.orchestration.runners.names import RUNNERS
    from uamsim.orchestration.spec import ExperimentSpec, LatencySpec
    from uamsim.worlds import WORLDS, resolve_demonstrated

    file, rest = _take(FLAG, "", words)
    changes = read_config(Path(file)) if file else {}
    scale, rest = _take("--scale", str(changes.get("scale", DEFAULT_SCALE)), rest)
    world, rest = _take("--world", "", rest)
    data, rest = _take("--data", "", rest)
    rest += ["--data.path", data] if data else []
    spec = build_any(name, scale)
    if changes:
        fixed = {"name": spec.name, "scale": spec.scale}
        spec = from_json(type(spec), merged(to_json(spec), changes | fixed))
    if world and isinstance(spec, ExperimentSpec):
        spec = spec.in_world(world, tasks=tuple(resolve_demonstrated(world, ())))
    own = Path(name).stem if name.endswith(".py") else name
    folder = "-".join(filter(None, (own, scale, world)))

    unnamed = tyro.conf.arg(name="")
    fields = [("options", Annotated[Options, unnamed]), ("spec", Annotated[type(spec), unnamed])]
    command_class: Any = dataclasses.make_dataclass("Command", fields, kw_only=True)
    command = tyro.cli(
        command_class,
        prog=f"uamsim experiment {name}",
        description=f"{spec.summary} Also: --config FILE (JSON or TOML, such as a run's "
        f"spec.json), --scale debug|tiny|small|paper and --world {'|'.join(WORLDS)}, which set the "
        "values below before they are changed one by one.",
        default=command_class(
            options=Options(out=Path("outputs") / folder, cache=default_root()),
            spec=spec,
        ),
        args=rest,
    )
    options = command.options
    if options.runner not in RUNNERS:
        raise UnknownNameError("runner", options.runner, RUNNERS)
    options = dataclasses.replace(options, workers=options.workers or os.cpu_count() or 1)
    if (command.spec.name, command.spec.scale) != (spec.name, spec.scale):
        raise ConfigError("--name and --scale are fixed by the experiment; do not change them.")
    if isinstance(command.spec, LatencySpec):
        return options, command.spec
    return options, fit_to_weights(fit_to_data(command.spec))


def _take(flag: str, value: str, words: Sequence[str]) -> tuple[str, list[str]]:
    """A flag's value, and the words without it, for a flag that decides other defaults."""
    rest = []
    waiting = iter(words)
    for word in waiting:
        if word == flag:
            value = next(waiting, "")
        elif word.startswith(f"{flag}="):
            value = word.partition("=")[2]
        else:
            rest.append(word)
    return value, rest


def _time(spec: "LatencySpec", options: Options, words: Sequence[str]) -> int:
    if options.dry_run or options.resume:
        raise ConfigError("a measurement of latency takes seconds: no --dry-run and no --resume.")
    from uamsim.orchestration.latency import run_latency

    print(run_latency(spec, options.out, shlex.join(["uamsim", "experiment", *words])))
    return 0


def _run(spec: "ExperimentSpec", options: Options, words: Sequence[str]) -> int:
    from uamsim.orchestration.experiment.pipeline import RunOptions, run_experiment
    from uamsim.orchestration.runners.names import make_runner

    out = options.out
    again = ["uamsim", "experiment", *words, *([] if options.resume else ["--resume"])]
    runner = None
    try:
        runner = make_runner(options.runner, options.workers)
        report = run_experiment(
            spec,
            RunOptions(
                out=out,
                resume=options.resume,
                pretrain=options.pretrain,
                cache=options.cache,
                command=shlex.join(["uamsim", "experiment", *words]),
                runtime=options.runtime,
            ),
            runner,
        )
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. Everything finished is in {out}; go on with\n  {shlex.join(again)}",
            file=sys.stderr,
        )
        return 130
    except UamsimError as error:
        print(f"uamsim experiment: {error}", file=sys.stderr)
        if (out / "spec.json").exists() and not isinstance(error, ConfigError):
            print(f"Go on with\n  {shlex.join(again)}", file=sys.stderr)
        return 1
    finally:
        if runner is not None:
            runner.close()
    print(report)
    return 0
