"""Environments that know nothing of uamsim are read through an adapter."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from foreign_env import PUSH_ID
from uamsim.adapter import Adapter
from uamsim.cli import main
from uamsim.errors import ConfigError
from uamsim.evaluation.backends.ledger import read_ledger
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.environments import adopt_foreign, make_env
from uamsim.orchestration.evaluate.policies import find_entrants
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.evaluate.run import plan
from uamsim.perturbations.language.free import FreeLanguage
from uamsim.perturbations.splits import find_split
from uamsim.worlds import world_of

ADAPTER = Adapter(
    instruction="Push onto the red square {now}",
    make=("obs_type=pixels_agent_pos", "render_mode=rgb_array"),
)
WORDS = ["--env", PUSH_ID, "--workers", "0", "--adapter.instruction", "push onto the red cube"]
WORDS += ["--adapter.make", *ADAPTER.make]
POLICY = """
import numpy as np
from uamsim.contract import PolicySpec


class ToRed:
    spec = PolicySpec(
        cameras=("top",), image_size=(20, 30), control="joint", horizon=4,
        action_dim=2, proprio_dim=2, control_hz=20,
    )

    def act(self, inputs):
        chunks = np.zeros((len(inputs), 4, 2))
        for chunk, item in zip(chunks, inputs):
            picture = item.observation["pixels"]["top"].astype(int)
            rows, columns = np.nonzero(picture[..., 0] - picture[..., 1] > 120)
            if len(rows):
                chunk[:] = columns.mean() / 29 * 2 - 1, 1 - rows.mean() / 19 * 2
        return chunks
"""


def make(split: str = "in_domain", adapter: Adapter = ADAPTER, env_id: str = PUSH_ID, **kwargs):
    kwargs = {"adapter": adapter.to_json(), **kwargs}
    return make_env(RolloutUnit(env_id=env_id, split=split, seeds=(0,), env_kwargs=kwargs))


def test_it_is_evaluated_with_controls_and_perturbed(tmp_path: Path):
    (tmp_path / "to_red.py").write_text(POLICY)
    splits = ["in_domain", "noise_words@2", "synonyms@5+image_noise@1", "latency@1+action_delay@1"]
    out = ["--split", *splits, "--episodes", "6", "--videos", "1", "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--policy", f"{tmp_path / 'to_red.py'}:ToRed", *WORDS, *out]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rates = {(row["control"], row["split"]): row["rate"] for row in results["rows"]}
    assert {rates[None, split] for split in splits} == {1.0}
    assert rates["blind", "in_domain"] < 1 > rates["random", "in_domain"]
    assert results["not_applicable"][0]["control"] == "shuffled"
    assert len(list((tmp_path / "out" / "videos").glob("*.mp4"))) == 1
    told = {r.split: r.instruction for r in read_ledger(tmp_path / "out" / "ledger.sqlite")}
    assert told["in_domain"] == "push onto the red cube"
    assert told["synonyms@5+image_noise@1"] in (
        f"push onto the {colour} block" for colour in ("crimson", "scarlet")
    )
    assert main(["evaluate", "--policy", "random", *WORDS, *out[-6:]]) == 0


def test_what_it_says_of_itself():
    adopt_foreign((PUSH_ID,), ADAPTER)
    world = world_of(PUSH_ID)
    assert (world.name, world.control, world.control_hz) == ("foreign", "joint", 20)
    assert world.cameras == ("top", "low")
    request = EvaluationRequest(policy="random", env=(PUSH_ID,), adapter=ADAPTER)
    other = dataclasses.replace(request, adapter=dataclasses.replace(ADAPTER, max_steps=9))
    first, second = ({job.setting for job in plan(r, find_entrants(r))} for r in (request, other))
    assert not first & second
    relative = dataclasses.replace(ADAPTER, control="relative", control_hz=5)
    env = make(adapter=relative)
    assert env.get_wrapper_attr("control_hz") == 5
    env.close()


def test_late_pictures_are_those_of_then():
    plain, late = make(image_size=[20, 30]), make("latency@2", image_size=[20, 30])
    (first, _), (same, _) = plain.reset(seed=4), late.reset(seed=4)
    np.testing.assert_equal(same, first)
    seen = [first]
    for _ in range(7):
        seen.append(plain.step(np.ones(2, np.float32))[0])
    got = late.get_wrapper_attr("step_chunk")(np.ones((7, 2), np.float32))[0]
    np.testing.assert_equal(got, seen[3])
    plain.close()
    late.close()


def test_an_episode_depends_on_its_seed_alone():
    env = make("image_noise@3+noise_words@3")
    first = env.reset(seed=5)
    env.reset(seed=6)
    np.testing.assert_equal(env.reset(seed=5), first)
    assert ["Push", "onto", "the", "red", "square", "{now}"][-2] in first[1]["instruction"]
    env.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"make": ("render_mode=rgb_array",)}, "nothing at 'pixels'; it has top"),
        ({"camera": ("pixels.side",)}, r"nothing at 'pixels.side'; it has .*pixels\.low"),
        ({"make": ("obs_type=all",)}, r"must give uint8 \[H, W, 3\], got object"),
        ({"make": ("obstype=all",)}, "cannot be made so.*obstype"),
        ({"state": ("joints",)}, "nothing at 'joints'"),
        ({"instruction": ""}, r"neither info nor .*--adapter\.instruction.*is_success"),
        ({"instruction": "info.says"}, "nothing at 'says'"),
        ({"success": "solved"}, "info of .* has nothing at 'solved'; it has is_success"),
        ({"sentences": "no.txt"}, r"expected a file of sentences, got 'no\.txt'"),
    ],
)
def test_what_does_not_fit_names_the_option(changes: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        adopt_foreign((PUSH_ID,), dataclasses.replace(ADAPTER, **changes))


def test_an_environment_without_a_limit_of_steps_is_an_error():
    with pytest.raises(ConfigError, match=r"might never end; say --adapter\.max-steps"):
        make(env_id="foreign_env:foreign/Endless-v0")
    limited = dataclasses.replace(ADAPTER, max_steps=3, success="reward>=5")
    env = make(env_id="foreign_env:foreign/Endless-v0", adapter=limited)
    env.reset(seed=0)
    ended = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(3)]
    assert ended == [(False, False), (False, False), (False, True)]
    env.close()


def test_wordings_that_need_sentences_read_them_from_a_file(tmp_path: Path):
    file = tmp_path / "sentences.txt"
    file.write_text(
        "[nouns]\nsquare = square/box = 正方形/方框\n[translations]\npush=推\n"
        "[push]\npush onto the {square}\n推到{square}上\nparaphrased:\nput it on the {square}\n"
    )
    language = FreeLanguage(file)
    rng = np.random.default_rng(0)
    for split, expected in (
        ("in_domain", "Push!"),
        ("chinese", "推到正方形上"),
        ("paraphrase", "put it on the box"),
    ):
        assert language.say("Push!", rng, find_split(split).perturbations) == expected
    with pytest.raises(ConfigError, match=r"no section \[pull\]; it has push"):
        FreeLanguage(file, "pull")
    with pytest.raises(ConfigError, match="cannot carry Chinese"):
        make("chinese")
    with pytest.raises(ConfigError, match="no noun and no colour of the lexicon"):
        FreeLanguage().say("Push!", rng, find_split("code_mix").perturbations)
    mixed = FreeLanguage().say("Lift the red cube", rng, find_split("code_mix@5").perturbations)
    assert "红色" in mixed
    assert mixed.startswith("Lift ")
