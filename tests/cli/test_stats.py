import json

import numpy as np
import pytest

from uamsim.cli import main
from uamsim.contract import EpisodeRecord
from uamsim.evaluation.episode_tables import episode_rows, write_parquet


def records(policy: str, rate: float, seeds: range, split: str, profile: str = "fast"):
    rng = np.random.default_rng(len(policy))
    return [
        EpisodeRecord(
            policy=policy,
            env_id="e",
            task="reach",
            split=split,
            seed=seed,
            instruction="",
            success=bool(rng.random() < rate),
            stages={},
            num_steps=1,
            render_profile=profile,
        )
        for seed in seeds
    ]


@pytest.fixture
def runs(tmp_path):
    first = records("weak:1", 0.2, range(60), "in_domain")
    first += records("weak:1", 0.2, range(20), "pinyin")
    second = records("strong:22", 0.8, range(10, 70), "in_domain", "quality")
    second += records("strong:22", 0.2, range(20), "pinyin", "quality")
    second += records("strong:22+blind", 0.1, range(20), "in_domain", "quality")
    for name, episodes in (("a", first), ("b", second)):
        write_parquet(tmp_path / name / "episodes.parquet", episode_rows(episodes, {}))
    return [str(tmp_path / "a"), str(tmp_path / "b")]


def test_compare_prints_each_split(runs, capsys):
    assert main(["stats", "compare", *runs, "--policy-b", "strong:22"]) == 0
    text = capsys.readouterr().out
    assert "70 episodes match by environment, split and seed, of 80 and 80" in text
    assert "rendered differently (fast and quality)" in text
    assert "second is better after" in text
    assert next(line for line in text.splitlines() if line.startswith("pinyin")).count("[") == 4
    assert "--alpha 0.025" in text


def test_compare_as_json(runs, capsys):
    words = [*runs, "--policy-b", "strong:22", "--json", "--alpha", "0.1"]
    assert main(["stats", "compare", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["matched"], found["alpha"]) == ("weak:1", 70, 0.1)
    assert {row["split"]: row["verdict"] for row in found["splits"]}["in_domain"] == "second"


def test_compare_asks_which_policy(runs, capsys):
    assert main(["stats", "compare", *runs]) == 1
    assert "--policy-b: strong:22, strong:22+blind" in capsys.readouterr().err
    assert main(["stats", "compare", *runs, "--policy-b", "storng:22"]) == 2
    assert "strong:22" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--difference", "0.2"], "+20 points from 35% takes 96 episodes with 80% power"),
        (["--episodes", "20"], "20 episodes resolve a gain of 43.2 points over 35%"),
        (["--episodes", "20", "--difference", "0.47"], "with 88% power"),
        (["--episodes", "20", "--paired", "--discordance", "0.2"], "resolve no gain over 35%"),
    ],
)
def test_plan(words, answer, capsys):
    assert main(["stats", "plan", "--baseline", "0.35", *words]) == 0
    assert answer in capsys.readouterr().out


def test_plan_needs_a_question(capsys):
    assert main(["stats", "plan", "--baseline", "0.35"]) == 1
    assert "--difference" in capsys.readouterr().err
