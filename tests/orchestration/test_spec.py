import dataclasses
import json
import resource
import subprocess
import sys
from typing import get_args

import pytest

from uamsim.contract import canonical_json, content_hash
from uamsim.errors import ConfigError, UamsimError, UnknownNameError
from uamsim.orchestration.experiments import build_experiment, list_experiments
from uamsim.orchestration.spec import (
    SCALES,
    VARIANTS,
    WORLDS,
    DemonstrationConfig,
    ESem,
    ExperimentSpec,
)
from uamsim.orchestration.trials.trial import expand


@pytest.mark.parametrize("name", ["calvin_abcd", "dorsal_sweep", "embodiment_tax", "robotwin16"])
@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_survives_json(name, scale):
    spec = build_experiment(name, scale)
    again = ExperimentSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.spec_hash == spec.spec_hash
    assert spec.scale == scale
    assert len(canonical_json(spec)) > 100


def test_hash_sees_every_field():
    spec = build_experiment("dorsal_sweep", "debug")
    value = spec.to_json()
    value["tuning"]["learning_rate"] = 1.5e-4
    assert ExperimentSpec.from_json(value).spec_hash != spec.spec_hash


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("tuning", "stepz"), 3, "Did you mean 'steps'"),
        (("tuning", "steps"), "3", "tuning.steps must be int"),
        (("demonstrations", "control"), "e", "Did you mean 'ee'"),
        (("demonstrations", "image_size"), [64], "2 values"),
        (("seeds",), 0, "seeds must be an array"),
        (("seeds",), [0, 0], "each once"),
        (("seeds",), [-1], "at least 0"),
        (("variants",), ["uamm"], "Did you mean 'uam'"),
        (("controls",), ["blnd"], "Did you mean 'blind'"),
        (("vqa", "image_size"), [32, 48], "must agree"),
        (("pretraining", "vocab_size"), 300, "must agree"),
        (("evaluation", "seed0"), 1_000_000, "tested on scenes they were trained on"),
        (("model",), 3, "JSON object"),
    ],
)
def test_bad_values_say_what_is_wrong(path, value, message):
    spec = build_experiment("dorsal_sweep", "debug").to_json()
    inner = spec
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(UamsimError, match=message):
        ExperimentSpec.from_json(spec)


def test_views_and_cameras_must_agree():
    spec = build_experiment("dorsal_sweep", "debug")
    with pytest.raises(ConfigError, match="num_views"):
        spec.replace(demonstrations=DemonstrationConfig(cameras=("primary", "left_wrist")))


@pytest.mark.parametrize(
    ("world", "task", "expected"),
    [
        ("aloha", "stack_cubes", ("ee", 14, 14, (6, 13), 10, "fast")),
        ("robosuite", "lift", ("ee", 7, 7, (6,), 10, "fast")),
        ("calvin", "a", ("relative", 7, 15, (6,), 30, "tiny")),
        ("robotwin", "lift_pot", ("joint", 14, 14, (6, 13), 17, "raster")),
    ],
)
def test_an_experiment_in_another_world_is_what_that_world_says(world, task, expected):
    spec = build_experiment("dorsal_sweep", "debug").in_world(world, tasks=(task,))
    data, model = spec.demonstrations, spec.model
    found = (model.action_dim, model.proprio_dim, model.gripper_dims)
    assert (data.control, *found, data.fps, data.render_profile) == expected
    assert data.env_ids == spec.evaluation.env_ids == (WORLDS[world].tasks[task],)
    assert (model.num_views, data.cameras) == (len(data.cameras), spec.policy_spec.cameras)
    assert spec.policy_spec.control_hz == WORLDS[world].control_hz
    assert ExperimentSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("model", "action_dim", 14, r"model\.action_dim is 14, but .*Calvin-A-v0 has 7"),
        ("demonstrations", "fps", 10, "fps in calvin must be 30"),
        ("demonstrations", "control", "ee", "unknown control of calvin 'ee'"),
        ("demonstrations", "cameras", ("primary",), "unknown camera of calvin 'primary'"),
        ("evaluation", "render_profile", "fast", "unknown render profile of calvin 'fast'"),
    ],
)
def test_what_does_not_fit_the_world_is_an_error_before_anything_is_recorded(
    part, field, value, message
):
    spec = build_experiment("dorsal_sweep", "debug").in_world(
        "calvin", tasks=("a",), cameras=("static",)
    )
    with pytest.raises(UamsimError, match=message):
        spec.replace(**{part: dataclasses.replace(getattr(spec, part), **{field: value})})


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="dorsal_sweep"):
        build_experiment("dorsal_swep", "tiny")
    with pytest.raises(UnknownNameError, match="Did you mean 'debug'"):
        build_experiment("dorsal_sweep", "debugg")


def test_trials_cover_the_grid_once():
    spec = build_experiment("dorsal_sweep", "debug").replace(seeds=(0, 3))
    trials = expand(spec)
    assert len({trial.trial_id for trial in trials}) == len(trials) == 6 * 2 * 2
    assert {trial.seed for trial in trials[:12]} == {0}


def test_pairs_choose_trials():
    spec = build_experiment("embodiment_tax", "debug")
    assert {f"{trial.variant}-{trial.e_sem}" for trial in expand(spec)} == set(spec.pairs)
    one = spec.replace(variants=("mlp_head",))
    assert {trial.e_sem for trial in expand(one)} == {"frozen", "unfrozen"}
    with pytest.raises(UnknownNameError, match="Did you mean 'mlp_head-frozen'"):
        spec.replace(pairs=("mlp_head-frozn",))
    with pytest.raises(ConfigError, match="nothing to train"):
        spec.replace(pairs=("uam-frozen",))


def test_frozen_trials_may_have_fewer_seeds():
    spec = build_experiment("dorsal_sweep", "debug").replace(seeds=(3, 1, 2), frozen_seeds=2)
    seeds = {
        e_sem: [t.seed for t in expand(spec) if (t.variant, t.e_sem) == ("uam", e_sem)]
        for e_sem in spec.e_sem
    }
    assert seeds == {"unfrozen": [3, 1, 2], "frozen": [3, 1]}
    with pytest.raises(ConfigError, match="frozen_seeds"):
        spec.replace(frozen_seeds=4)


def test_modes_of_e_sem_are_config_fields_of_any_variant():
    spec = build_experiment("dorsal_sweep", "debug").replace(cotraining_share=0.4)
    for variant in VARIANTS:
        assert spec.variant_model(variant, "insulated").insulated
        assert not spec.variant_model(variant, "cotrained").insulated
    shares = {e_sem: spec.tuning_of(e_sem).vqa_share for e_sem in get_args(ESem)}
    assert shares == {"unfrozen": 0, "frozen": 0, "cotrained": 0.4, "insulated": 0.4}
    assert not spec.cotrains
    assert spec.replace(e_sem=("unfrozen", "insulated")).cotrains
    always = spec.replace(tuning=dataclasses.replace(spec.tuning, vqa_share=0.1))
    assert (always.tuning_of("unfrozen").vqa_share, always.tuning_of("frozen").vqa_share) == (
        0.1,
        0,
    )
    with pytest.raises(ConfigError, match="cotraining_share"):
        spec.replace(cotraining_share=1.0)


def test_fields_that_came_later_leave_old_hashes_alone():
    tiny = build_experiment("dorsal_sweep", "tiny")
    # Image times are shifted at tiny; without that the values are those of the recorded hash.
    spec = tiny.replace(model=dataclasses.replace(tiny.model, image_time_shift=1.0))
    parts = [spec.tuning_of("unfrozen"), *map(spec.variant_model, ("uam", "no_dorsal"))]
    assert content_hash(parts) == "78a3da55c35be394"
    value = spec.to_json()
    assert "pairs" not in value
    assert "insulated" not in value["model"]
    changed = spec.replace(model=dataclasses.replace(spec.model, mlp_width=64))
    assert changed.spec_hash != spec.spec_hash
    assert ExperimentSpec.from_json(changed.to_json()) == changed


def test_every_experiment_has_a_summary():
    assert all(list_experiments().values())


def test_listing_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from uamsim.cli import main; main(['experiment', '--list']); "
        "heavy = {'torch', 'ray', 'mujoco', 'pyarrow', 'scipy', 'gymnasium'} & set(sys.modules); "
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "dorsal_sweep" in done.stdout
    # A second is promised. Not by the clock: machines that run tests are busy.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 3


def test_spec_imports_nothing_heavy():
    code = (
        "import sys; from uamsim.orchestration.experiments import build_experiment; "
        "build_experiment('dorsal_sweep', 'tiny'); "
        "heavy = {'torch', 'ray', 'mujoco', 'pyarrow', 'scipy', 'gymnasium'} & set(sys.modules); "
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
