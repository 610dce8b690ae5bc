"""What every world, wording, config and data set gives, as hashes that reorganising must keep.

    python tests/identity.py aloha words        # records these parts anew, on purpose

``test_identity.py`` compares with what ``identity.json`` has. A hash of numbers is of numbers
rounded to a millionth: without AVX2 and FMA, MuJoCo's and numpy's results differ by 6e-15. The bits
themselves are recorded beside it with the machine that they hold for, and pictures with their
renderer.
"""

import dataclasses
import functools
import hashlib
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from episodes import moves, state_of
from uamsim.contract import Goal, SceneFacts, content_hash, json_fields
from uamsim.data.config import DemonstrationConfig, SceneChangeConfig, VQAConfig
from uamsim.data.demonstrations import collect_demonstrations
from uamsim.data.lerobot import LeRobotDataset
from uamsim.data.scene_change import SceneChangeDataset, generate_scene_changes
from uamsim.data.vqa import VQADataset, generate_vqa
from uamsim.errors import UamsimError
from uamsim.evaluation.config import RolloutUnit, plan_units
from uamsim.evaluation.environments import make_env
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.store import ArtifactStore
from uamsim.orchestration.experiments import build_any, list_experiments
from uamsim.orchestration.spec import SCALES, ExperimentSpec
from uamsim.perturbations.axes import AXES
from uamsim.perturbations.splits import SPLITS, find_split
from uamsim.worlds import WORLDS
from uamsim_envs.aloha.draw import draw_episode
from uamsim_envs.aloha.language import LANGUAGE
from uamsim_envs.robotwin import language as robotwin

RECORD = Path(__file__).with_name("identity.json")
PLAIN = "in_domain"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "joint": {"control": "joint"},
    "fine": {"render_profile": "quality", "cameras": ["primary", "left_wrist", "top"]},
    "lowpoly": {"render_profile": "tiny-lowpoly"},
}
"""What stands behind a comma in the name of a case -> arguments of the environment."""
ALOHA = tuple(entry.id for entry in WORLDS["aloha"].environments)
CHEAP: Mapping[str, Mapping[str, Any]] = {
    **{env_id.partition("-")[0]: {"cameras": ["primary"]} for env_id in ALOHA},
    "uamsim/RoboTwin": {"cameras": ["head"], "render_profile": "raster-shadowless"},
}
"""How an id begins -> arguments beside a small picture, to draw less."""
LOWPOLY = f"{PLAIN},lowpoly"
AXIS_IDS = ("uamsim/AlohaPickPlace-v0", "uamsim/AlohaPickPlaceObjects-v0")
"""Those whose cases are every axis alone, too."""
WORDINGS = tuple(
    f"{name}@{severity}"
    for name, axis in AXES.items()
    if axis.layer == "language"
    for severity in (1, 3, 5)
)
NUM_DRAWS = 50

Facts = dict[str, str]
"""What of a case -> its hash: "said" of words and outcomes, "state" of numbers, "bits" of the same
to the last bit, "seen" of pictures. Or {"refused": what kind of error}."""


def machine() -> str:
    """What the last bits of a number depend on."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    versions = f"numpy {np.__version__}, mujoco {mujoco.__version__}"
    return f"{platform.machine()} {' '.join(found)}, {' '.join(platform.libc_ver())}, {versions}"


@functools.cache
def renderer() -> str:
    """What pictures depend on."""
    from OpenGL import GL

    from uamsim_envs.rendering import make_current

    make_current()
    said = [GL.glGetString(name) or b"" for name in (GL.GL_RENDERER, GL.GL_VERSION)]
    return b" ".join(said).decode()


class Trace:
    """Collects what an episode gave, each kind of it by itself."""

    def __init__(self) -> None:
        self._hashes = {name: hashlib.sha256() for name in ("said", "state", "bits", "seen")}

    def say(self, value: Any) -> None:
        """Adds JSON values, but for the numbers in them, which are states."""
        numbers: list[float] = []

        def plain(item: Any) -> Any:
            if dataclasses.is_dataclass(item) and not isinstance(item, type):
                item = json_fields(item)
            if isinstance(item, Mapping):
                return {str(key): plain(entry) for key, entry in item.items()}
            if isinstance(item, (list, tuple)):
                return [plain(entry) for entry in item]
            if isinstance(item, (float, np.floating)):
                numbers.append(float(item))
                return "number"
            return item

        text = json.dumps(plain(value), sort_keys=True, ensure_ascii=False)
        self._hashes["said"].update(text.encode())
        self.count(np.array(numbers))

    def count(self, values: Any) -> None:
        """Adds numbers."""
        values = np.ascontiguousarray(values)
        self._hashes["bits"].update(f"{values.dtype.str}{values.shape}".encode() + values.tobytes())
        rounded = np.round(values.astype(np.float64), 6) + 0.0  # no minus in front of a zero
        self._hashes["state"].update(f"{values.shape}".encode() + rounded.tobytes())

    def see(self, pixels: Mapping[str, np.ndarray]) -> None:
        """Adds pictures."""
        for name, picture in sorted(pixels.items()):
            header = f"{name}{picture.dtype.str}{picture.shape}".encode()
            self._hashes["seen"].update(header + np.ascontiguousarray(picture).tobytes())

    def look(self, observation: Any, info: Mapping[str, Any]) -> None:
        """Adds what an environment shows and tells."""
        self.see(observation["pixels"])
        self.count(observation["agent_pos"])
        told = ("is_success", "instruction", "task_description", "_max_episode_steps", "task")
        told += ("stages", "goal", "scene", "num_steps", "perturbations")
        self.say({name: info[name] for name in told})

    def facts(self) -> Facts:
        """The hashes."""
        return {name: found.hexdigest()[:12] for name, found in self._hashes.items()}


def _open(env_id: str, split: str, settings: Mapping[str, Any]) -> Any:
    small = {"image_size": [32, 48], **CHEAP.get(env_id.partition("-")[0], {}), **settings}
    env_id = f"uamsim_envs:{env_id}"
    return make_env(RolloutUnit(env_id=env_id, split=split, seeds=(0,), env_kwargs=small)).unwrapped


def episodes(env_id: str, case: str) -> Facts:
    """A piece of an episode under actions of no use, and one of an expert's.

    Args:
        env_id: of the environment.
        case: a split, and behind a comma a name of ``SETTINGS``.
    """
    split, _, settings = case.partition(",")
    try:
        env = _open(env_id, split, SETTINGS.get(settings, {}))
    except UamsimError as error:
        return {"refused": type(error).__name__}
    trace, steps = Trace(), 8 if env_id in ALOHA else 4
    observation, info = env.reset(seed=0)
    trace.look(observation, info)
    observation, reward, *ended, info = env.step_chunk(moves(env, observation["agent_pos"], steps))
    trace.look(observation, info)
    trace.say([float(reward), *ended])
    trace.look(*env.reset(seed=1))
    if env_id != ALOHA[0] and getattr(env, "has_expert", True):
        taken, (observation, *_, info) = env.play(env.expert(np.random.default_rng(1)), 2 * steps)
        trace.count(taken)
        trace.look(observation, info)
    for values in state_of(env):
        trace.count(values)
    env.close()
    return trace.facts()


def whole_episode(env_id: str, case: str) -> Facts:
    """What an expert does from the beginning to the end, and what comes of it.

    Of the numbers only bits: in hundreds of steps with contacts other last bits grow large.
    """
    env = _open(env_id, case, {"cameras": []})
    trace = Trace()
    env.reset(seed=2)
    taken, (*_, info) = env.play(env.expert(np.random.default_rng(2)), env.max_episode_steps)
    trace.say([info["is_success"], info["stages"]])
    for values in (taken, *state_of(env)):
        trace.count(values)
    env.close()
    facts = trace.facts()
    return {name: facts[name] for name in ("said", "bits")}


def _said(say: Callable[[np.random.Generator, Any], str]) -> Facts:
    """Hashes of many draws of words under each wording.

    Args:
        say: words, given a generator and perturbations.
    """
    found = {}
    for wording in (PLAIN, *WORDINGS):
        axes, trace = find_split(wording).perturbations, Trace()
        try:
            for seed in range(NUM_DRAWS):
                trace.say(say(np.random.default_rng(seed), axes))
            found[wording] = trace.facts()["said"]
        except UamsimError as error:
            found[wording] = type(error).__name__
    return found


def _words_of_goals(told: Sequence[tuple[Goal, SceneFacts | None]]) -> Facts:
    def say(rng: np.random.Generator, wording: Any) -> str:
        goal, scene = told[int(rng.integers(len(told)))]
        return LANGUAGE.say(goal, rng=rng, wording=wording, scene=scene)

    return _said(say)


def _words_of_robotwin() -> Facts:
    goals = [_with_a_colour(robotwin.GOALS[name]) for name in sorted(robotwin.GOALS)]

    def say(rng: np.random.Generator, wording: Any) -> str:
        arms = [("", "left", "right")[int(i)] for i in rng.integers(3, size=len(goals))]
        said = zip(goals, arms, strict=True)
        return " / ".join(robotwin.say(g, rng=rng, arm=arm, wording=wording) for g, arm in said)

    return _said(say)


def _with_a_colour(goal: Goal) -> Goal:
    """A goal of RoboTwin's whose target is of any colour, with one."""
    if goal.target is None or goal.target.colour != robotwin.ANY:
        return goal
    return dataclasses.replace(goal, target=dataclasses.replace(goal.target, colour="teal"))


def _words_of_calvin() -> Facts:
    env = _open("uamsim/Calvin-D-v0", PLAIN, {"cameras": []})
    scene, tasks = env.reset(seed=0)[1]["scene"], sorted(env.tasks)

    def say(rng: np.random.Generator, wording: Any) -> str:
        given: dict[str, Any] = {"wording": wording, "scene": scene}
        task = tasks[int(rng.integers(len(tasks)))]
        sentence = env.instructions.draw_sentence("training", task, rng)
        return env.instructions.say(task, sentence, rng=rng, **given)

    found = _said(say)
    env.close()
    return found


def words(group: str, name: str) -> Facts:
    """Words for a task's goals, for all tasks of a world, or for goals drawn without a simulator.

    Args:
        group: "drawn", "robotwin", "calvin", or "bench".
        name: of the task, or the environment's id.
    """
    if group == "robotwin":
        return _words_of_robotwin()
    if group == "calvin":
        return _words_of_calvin()
    if group == "bench":
        env = _open(name, PLAIN, {"cameras": []})
        infos = [env.reset(seed=seed)[1] for seed in (0, 1)]
        env.close()
        return _words_of_goals([(info["goal"], info["scene"]) for info in infos])
    drawn, trace = [draw_episode(name, np.random.default_rng(i)) for i in range(NUM_DRAWS)], Trace()
    trace.say(drawn)
    return _words_of_goals([(d.goal, None) for d in drawn]) | {"draws": trace.facts()["said"]}


def config(name: str, scale: str) -> Facts:
    """Hashes of an experiment, of its parts, and of what is made and rolled out for it."""
    spec = build_any(name, scale)
    found = {"spec": content_hash(spec), "json": content_hash(spec.to_json())}
    if not isinstance(spec, ExperimentSpec):
        return found
    for part in ("demonstrations", "vqa", "scene_changes", "model", "pretraining", "tuning"):
        found[part] = content_hash(getattr(spec, part))
    recipes = stages.recipes(spec)
    for kind in ("demonstrations", "vqa", "vqa_test", "scene_changes", *stages.PRETRAINED):
        found[f"recipe of {kind}"] = recipes[kind].key
    if (name, scale) == ("dorsal_sweep", "tiny"):
        with tempfile.TemporaryDirectory() as empty:
            store = ArtifactStore(Path(empty))
            paths = {kind: store.find(recipes[kind]) for kind in stages.PRETRAINED}
        found |= {f"shipped {kind}": path.name if path else "" for kind, path in paths.items()}
    policy = spec.policy_spec
    names = ("cameras", "image_size", "control", "horizon", "action_dim")
    found["policy"] = content_hash([getattr(policy, field) for field in names])
    units = plan_units(spec.evaluation, policy)
    found["units"] = content_hash([unit.unit_hash for unit in units])
    return found


def data(kind: str, env_id: str) -> Facts:
    """A small set: "demonstrations", "questions" or "scene changes"."""
    trace, env_id = Trace(), f"uamsim_envs:{env_id}"
    small: dict[str, Any] = {"image_size": (32, 48)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        if kind == "demonstrations":
            given = DemonstrationConfig(env_ids=(env_id,), episodes_per_env=2, fps=5, **small)
            recorded = LeRobotDataset(collect_demonstrations(given, root))
            trace.say([recorded.info, recorded.instructions, recorded.env_ids])
            trace.count(recorded.action)
            trace.count(recorded.state)
            trace.see({"primary": np.array(recorded.frames("primary"))})
        elif kind == "questions":
            sizes = {"num_train_scenes": 6, "num_test_scenes": 30, "questions_per_skill_test": 6}
            generate_vqa(VQAConfig(env_id=env_id, **sizes, **small), root)
            train, test = VQADataset(root, "train"), VQADataset(root, "test")
            rng = np.random.default_rng(0)
            trace.say([[train.facts(i), train.questions(i, rng, 20)] for i in range(len(train))])
            trace.say(test.test_questions())
            trace.see({"train": np.array(train.images), "test": np.array(test.images)})
        else:
            generate_scene_changes(SceneChangeConfig(env_id=env_id, num_pairs=6, **small), root)
            pairs = SceneChangeDataset(root)
            trace.say(pairs.instructions)
            trace.see({"before": np.array(pairs.before), "after": np.array(pairs.after)})
    return trace.facts()


MEASURES: Mapping[str, Callable[[str, str], Facts]] = {
    "aloha": episodes,
    "axes": episodes,
    "experts": whole_episode,
    "robosuite": episodes,
    "calvin": episodes,
    "robotwin": episodes,
    "words": words,
    "words of calvin": words,
    "configs": config,
    "data": data,
}
"""Part of the record -> what gives the facts of a group and a case of it."""


def cases(part: str) -> Iterator[tuple[str, str]]:
    """(group, case) of all that ``main`` records of a part."""
    splits = tuple(SPLITS)
    alone = [f"{axis}@{severity}" for axis in AXES for severity in (2, 5)]
    robosuite = [entry.id for entry in WORLDS["robosuite"].environments]
    calvin = [
        entry.id
        for entry in WORLDS["calvin"].environments
        if not entry.protocol or entry.task == "d"
    ]
    robotwin = [
        f"uamsim/RoboTwin-{name}-v0" for name in ("click_alarmclock", "turn_switch", "lift_pot")
    ]
    found: dict[str, Iterable[tuple[str, str]]] = {
        "aloha": product(ALOHA, [*splits, f"{PLAIN},joint", f"{PLAIN},fine"]),
        "axes": product(AXIS_IDS, alone),
        "experts": product(ALOHA[1:], [PLAIN]),
        "robosuite": [
            *product(robosuite, [PLAIN]),
            *product(robosuite[1:2], ["distractors", "code_mix", "sensor", "action"]),
        ],
        "calvin": [*product(calvin, [PLAIN]), *product(calvin[3:4], [*splits[1:], LOWPOLY])],
        "robotwin": [
            *product(robotwin, [PLAIN]),
            *product(robotwin[:1], ["chinese", "distractors", "novel_object", "visual", "physics"]),
        ],
        "words": [
            *product(["drawn"], ["press_button", "pick_place"]),
            *product(["bench"], ALOHA[1:]),
            ("robotwin", "all"),
        ],
        "words of calvin": [("calvin", "all")],
        "configs": product(list_experiments(), SCALES),
        "data": [
            ("demonstrations", ALOHA[1]),
            ("questions", ALOHA[0]),
            ("scene changes", ALOHA[0]),
        ],
    }
    yield from found[part]


def main(parts: Sequence[str]) -> None:
    """Records parts anew."""
    recorded = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    for part in parts:
        found: dict[str, dict[str, Facts]] = {}
        for group, case in cases(part):
            found.setdefault(group, {})[case] = MEASURES[part](group, case)
        recorded[part] = {"machine": machine(), "renderer": renderer(), "found": found}
        RECORD.write_text(_pretty(recorded), "utf-8")


def _pretty(recorded: Any, depth: int = 0) -> str:
    """JSON with a line for each case."""
    if depth == 4 or not isinstance(recorded, dict):
        return json.dumps(recorded, sort_keys=True)
    space = " " * depth
    lines = [f"{space} {json.dumps(k)}: {_pretty(v, depth + 1)}" for k, v in recorded.items()]
    return "{\n" + ",\n".join(lines) + f"\n{space}}}" + ("" if depth else "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
