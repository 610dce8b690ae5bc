"""Episodes that are chains of tasks: rolled out, counted, and shown beside published rows."""

import dataclasses
import json

import numpy as np
import pytest

from uamsim.cli import main
from uamsim.contract import EpisodeRecord, in_a_row
from uamsim.errors import ConfigError
from uamsim.evaluation.config import RolloutUnit
from uamsim.evaluation.controls import ShuffledPolicy
from uamsim.evaluation.entrants import Entrant
from uamsim.evaluation.rollout import Clip, run_unit
from uamsim.evaluation.tables import chain_rows
from uamsim.orchestration.evaluate import policies as entrants
from uamsim.reporting.paper import chain_rows as published_rows
from uamsim.reporting.paper import published
from uamsim.reporting.terminal import chain_lines
from uamsim.statistics import average_length, chain_result, is_chain, wilson_interval
from uamsim.testing.envs import CHAIN_ID, CHAIN_LENGTH
from uamsim.testing.policies import ReachPolicy

KWARGS = {"control": "ee", "cameras": ["primary"], "image_size": [32, 48]}
ENTRANT = Entrant(name="p", factory=ReachPolicy, spec=ReachPolicy().spec)
D = "uamsim_envs:uamsim/CalvinChains-D-v0"


def unit(*seeds: int) -> RolloutUnit:
    return RolloutUnit(
        env_id=CHAIN_ID, split="in_domain", seeds=seeds, env_kwargs=KWARGS, batch_envs=4
    )


def record(done: int, *, tasks: int = 5, **changes) -> EpisodeRecord:
    stages = {in_a_row(i + 1): done > i for i in range(tasks)}
    values = {"policy": "p", "env_id": D, "task": "t", "split": "in_domain", "seed": 0}
    values |= {"instruction": "do it", "num_steps": 3, "render_profile": "fast"}
    return EpisodeRecord(**values | {"success": done == tasks, "stages": stages} | changes)


class Listening(ReachPolicy):
    """Keeps what it was told at which step, by seed."""

    def act(self, inputs):
        for item in inputs:
            told.setdefault(item.seed, {})[item.step] = item.instruction
        return super().act(inputs)


told: dict[int, dict[int, str]] = {}


def test_a_policy_is_told_the_present_task_of_a_chain():
    told.clear()
    records = run_unit(Listening(), unit(*range(6)))
    assert all(r.success and sum(r.stages.values()) == CHAIN_LENGTH for r in records)
    assert any(len(set(told[seed].values())) == 2 for seed in range(6))
    for played in records:
        assert told[played.seed][max(told[played.seed])] == played.instruction
    # A chunk's rest after a success is not played: steps at which the policy was asked are no
    # longer multiples of the chunk.
    assert any(step % ReachPolicy().spec.horizon for steps in told.values() for step in steps)


def test_a_chain_stops_at_its_first_failure():
    records = run_unit(ReachPolicy(noise=0.8), unit(*range(20)))
    lengths = [sum(r.stages.values()) for r in records]
    assert 0 < np.mean(lengths) < CHAIN_LENGTH
    for played, length in zip(records, lengths, strict=True):
        assert list(played.stages.values()) == [i < length for i in range(CHAIN_LENGTH)]
        assert played.success == (length == CHAIN_LENGTH)


def test_filming_a_chain_shows_the_same_episode():
    clips: list[Clip] = []
    plain = run_unit(ReachPolicy(), unit(1, 2))
    assert run_unit(ReachPolicy(), unit(1, 2), clips=clips) == plain
    for clip in clips:
        assert -(-clip.record.num_steps // 5) <= len(clip.frames) - 1
        # The last frame of a filmed success has the gripper on the block: none of its pictures
        # may come after the end of the episode.
        assert len(clip.frames) - 1 <= clip.record.num_steps // 5 + 2 * CHAIN_LENGTH


def test_the_film_of_a_chain_says_what_the_policy_was_told():
    told.clear()
    clips: list[Clip] = []
    run_unit(Listening(), unit(*range(6)), clips=clips)
    for clip in clips:
        heard = told[clip.record.seed]
        shown = clip.told or []
        assert len(shown) == len(clip.frames)
        assert list(dict.fromkeys(shown)) == list(dict.fromkeys(heard.values()))
    assert any(len(set(clip.told or [])) == 2 for clip in clips)


def test_a_shuffled_policy_keeps_being_told_another_instruction():
    told.clear()
    run_unit(ShuffledPolicy(Listening()), unit(*range(4)))
    assert all(len(set(heard.values())) == 1 for heard in told.values())


def test_rates_in_a_row_and_the_average_length():
    found = chain_result([record(done) for done in (5, 5, 3, 1, 0)])
    assert [r.successes for r in found.rates] == [4, 3, 3, 2, 2]
    assert found.length.value == pytest.approx(14 / 5)
    assert (found.rates[0].ci_low, found.rates[0].ci_high) == wilson_interval(4, 5)
    assert found.length.ci_low < 14 / 5 < found.length.ci_high


@pytest.mark.parametrize("done", [0, 5])
def test_chains_that_end_alike_still_have_an_interval(done):
    length = average_length([done] * 20, 5)
    low, high = wilson_interval(20 * done // 5, 20)
    assert (length.ci_low, length.ci_high) == pytest.approx((5 * low, 5 * high))


def test_the_interval_of_the_length_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shares = np.array([0.072, 0.063, 0.05, 0.046, 0.07, 0.699])
    truth = float(shares @ np.arange(6))
    held = 0
    for _ in range(400):
        length = average_length(rng.choice(6, 50, p=shares).tolist(), 5)
        held += length.ci_low <= truth <= length.ci_high
    assert 0.91 < held / 400 < 0.985


def test_what_is_no_chain_is_refused_and_left_out():
    other = dataclasses.replace(record(1), stages={"grasped": True, "lifted": False})
    assert not is_chain(other)
    assert not is_chain(dataclasses.replace(other, stages={}))
    with pytest.raises(ConfigError, match="1_in_a_row"):
        chain_result([record(1), other])
    with pytest.raises(ConfigError, match="all as long"):
        chain_result([record(1), record(1, tasks=3)])
    with pytest.raises(ConfigError, match="from 0 to 5"):
        average_length([6], 5)
    assert [row["chains"] for row in chain_rows([ENTRANT], {"p": [record(1), other]})] == [1]


def test_published_rows_stand_beside_the_environment_that_they_are_of():
    records = [record(3), record(4, split="chinese"), record(2, env_id="x:uamsim/Other-v0")]
    rows = chain_rows([ENTRANT], {"p": records})
    others = published(rows)
    assert {row["env_id"] for row in others} == {D}
    best = next(
        r
        for r in others
        if (r["paper"], r["method"], r["trained_on"]) == ("UP-VLA", "UP-VLA", "ABC")
    )
    assert (best["in_a_row"], best["length"]) == ([0.928, 0.865, 0.815, 0.769, 0.699], 4.08)
    text = "\n".join(chain_lines(rows, others))
    assert text.count("published (UP-VLA): UP-VLA  ") == 2
    assert "ABCD->D" in text
    assert published([row for row in rows if row["split"] == "chinese"]) == []


def test_published_averages_are_the_sums_of_their_rates():
    # As printed: one row is off by 0.027, the others by rounding.
    for row in published_rows("uamsim/CalvinChains-D-v0"):
        if row["length"] is None:
            assert 0 < row["completed"] < 1
        else:
            assert sum(row["in_a_row"]) == pytest.approx(row["length"], abs=0.03)
            assert row["in_a_row"] == sorted(row["in_a_row"], reverse=True)


def test_evaluate_shows_and_stores_chains(tmp_path, monkeypatch, capsys):
    found = Entrant(name="reach", factory=ReachPolicy, spec=ReachPolicy().spec)
    monkeypatch.setattr(entrants, "find_policy", lambda name, request: found)
    words = ["evaluate", "--policy", "reach", "--env", CHAIN_ID, "--no-controls", "--videos", "0"]
    words += ["--max-episode-steps", "60", "--workers", "0", "--out", str(tmp_path)]
    assert main([*words, "--episodes", "5"]) == 0
    assert main([*words, "--episodes", "8"]) == 0
    shown = capsys.readouterr()
    assert "tasks in a row" in shown.out
    assert "going on after 5 of 8 episodes" in shown.err
    (row,) = json.loads((tmp_path / "results.json").read_text())["chains"]
    assert (row["chains"], row["tasks"], row["length"]) == (8, 3, 3.0)
    assert row[in_a_row(3)] == 1.0 > row[f"{in_a_row(3)}_low"]
    assert (tmp_path / "chains.parquet").exists()
