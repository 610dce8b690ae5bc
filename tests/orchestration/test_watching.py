"""What is shown of a model while it is being tuned."""

import dataclasses

import pytest

from tiny_tuning import make_start
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.orchestration.trials import measuring
from uamsim.orchestration.trials.trial import Artifacts, TrialContext
from uamsim.orchestration.trials.watcher import NUM_GOALS, Watcher
from uamsim.testing.models import micro_vla


class Log:
    def __init__(self):
        self.values, self.pictures = {}, []

    def scalars(self, step, values):
        self.values |= {name: (step, value) for name, value in values.items()}

    def picture(self, step, name, image):
        self.pictures.append((step, name, image.shape))


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    start = make_start(tmp_path_factory.mktemp("start"))
    spec = build_experiment("dorsal_sweep", "debug")
    assert isinstance(spec, ExperimentSpec)
    spec = spec.replace(model=dataclasses.replace(spec.model, chunk=4))
    before = measuring.measure_before(start / "vlm" / "model.safetensors", start / "vqa", 2)
    artifacts = Artifacts(
        demonstrations=start / "demonstrations",
        vqa_test=start / "vqa",
        tokenizer=start / "tokenizer",
        vlm=start / "vlm",
        vae=start / "vae",
        generator=start / "generator",
    )
    return TrialContext(spec=spec, out=start / "out", artifacts=artifacts, before=before)


@pytest.mark.parametrize("variant", ["uam", "no_dorsal"])
def test_s_and_goals_of_the_live_model(context, variant):
    log = Log()
    model = micro_vla(variant)
    Watcher(context, log)(7, model)  # pyright: ignore[reportArgumentType]
    step, value = log.values["watch/S"]
    assert step == 7
    assert 0 <= value <= 1
    shape = (NUM_GOALS * 32, 3 * 48, 3)
    expected = [(7, "goals: now, predicted, true", shape)] if variant == "uam" else []
    assert log.pictures == expected
    Watcher(context, None)(7, model)
