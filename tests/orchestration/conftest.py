import functools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from uamsim.contract import SKILLS, PolicySpec, Question
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.experiment import media
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.spec import DemonstrationConfig, EvaluationConfig, InterventionConfig
from uamsim.testing.data import FakeAnswerer
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy

SIZE = (32, 48)


class Interruptions:
    """Counts what is done and interrupts the n-th piece of work, once it has begun."""

    def __init__(self) -> None:
        self.finished: Counter[str] = Counter()
        self.at: int | None = None
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1
        if self.begun == self.at:
            raise KeyboardInterrupt

    def end(self, work: str) -> None:
        self.finished[work] += 1


@pytest.fixture
def spec():
    full = build_experiment("dorsal_sweep", "debug")
    return full.replace(
        variants=("no_dorsal", "uam"),
        demonstrations=DemonstrationConfig(image_size=SIZE, env_ids=(REACH_ID,)),
        vqa=_resized(full.vqa),
        scene_changes=_resized(full.scene_changes),
        interventions=InterventionConfig(),
        evaluation=EvaluationConfig(
            env_ids=(REACH_ID,),
            splits=("in_domain", "pinyin"),
            episodes=1,
            in_domain_episodes=2,
            control_episodes=1,
            snapshot_episodes=1,
            unit_episodes=1,
            batch_envs=1,
            max_episode_steps=40,
            seed0=9_000_000,
        ),
    )


def _resized(config):
    import dataclasses

    return dataclasses.replace(config, image_size=SIZE)


@pytest.fixture
def work(monkeypatch, tmp_path):
    """Stand-ins for data, pretraining, tuning and media, small enough to count."""
    work = Interruptions()
    monkeypatch.setattr("uamsim.orchestration.artifacts.store.SHIPPED_ROOT", tmp_path / "shipped")
    data = ("demonstrations", "vqa", "vqa_test", "scene_changes")
    for kind in (*data, "vlm_start", *stages.SHIPPED):
        monkeypatch.setitem(stages.MAKERS, kind, functools.partial(_fake_make, work, kind))
    questions = [(0, Question(skill=skill, question=f"{skill}?", answer="yes")) for skill in SKILLS]
    images = np.zeros((1, *SIZE, 3), np.uint8)
    monkeypatch.setattr(
        "uamsim.orchestration.trials.measuring.test_set", lambda _root: (images, questions)
    )
    monkeypatch.setattr("uamsim.serving.refs.load_policy", functools.partial(FakeVLA, work))
    monkeypatch.setattr("uamsim.serving.policy.VLMAnswerer", lambda _path: Yes())
    monkeypatch.setattr("uamsim.training.tuning.tune", functools.partial(fake_tune, work))
    monkeypatch.setattr(media, "make_media", lambda *_args: {})
    return work


class Yes(FakeAnswerer):
    def answer(self, images, questions):
        return ["yes" if images.any() or len(q) % 2 else "no" for q in questions]


class FakeVLA(ReachPolicy):
    def __init__(self, work, checkpoint, **_):
        assert checkpoint.is_file()
        super().__init__(
            spec=PolicySpec(cameras=("primary",), image_size=SIZE, control="ee", horizon=50)
        )
        self.work = work

    def act(self, inputs):
        self.work.begin()
        return super().act(inputs)

    def answer(self, images, questions):
        return ["yes" for _ in questions]


def _fake_make(work, kind, plan, out, workers, report):
    for name in plan.recipes[kind].upstream:
        stages.make(plan, name, 1, report)
    work.begin()
    (out / "model.safetensors").write_text(kind)
    work.end(kind)
    report(1, 1, {})


def fake_tune(
    work, config, model, sources, *, out, report, on_snapshot, seed, e_sem_trainable, **_
):
    assert all(path.exists() for path in vars(sources).values() if isinstance(path, Path))
    assert not config.vqa_share or sources.questions.root.exists()
    state = out / "step"
    out.mkdir(parents=True, exist_ok=True)
    start = int(state.read_text()) if state.exists() else 0
    for step in range(start + 1, config.steps + 1):
        work.begin()
        report(step, config.steps, {"total": 1 / step})
        if step in config.snapshot_steps:
            checkpoint = out / f"step-{step}.safetensors"
            checkpoint.write_text(f"{seed} {step} {e_sem_trainable} {model.dynamics}")
            on_snapshot(step, checkpoint)
        state.write_text(str(step))
        work.end(f"{out.name} step {step}")
    return out / f"step-{config.steps}.safetensors"
