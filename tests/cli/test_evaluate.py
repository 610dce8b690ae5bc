"""`uamsim evaluate` as a user meets it."""

import asyncio
import dataclasses
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from uamsim.adapter import Adapter
from uamsim.cli import main
from uamsim.contract import PolicyInput
from uamsim.errors import ConfigError, MissingDependencyError, UnknownNameError
from uamsim.evaluation.backends.ledger import read_ledger
from uamsim.evaluation.entrants import Entrant
from uamsim.orchestration.evaluate import policies as entrants
from uamsim.orchestration.evaluate.policies import find_entrants
from uamsim.orchestration.evaluate.request import EvaluationRequest
from uamsim.orchestration.evaluate.run import plan
from uamsim.reporting.results import validate_results
from uamsim.serving.refs import ServerFactory
from uamsim.serving.server import PolicyServer, ServeConfig
from uamsim.testing.envs import REACH_ID
from uamsim.testing.policies import ReachPolicy
from uamsim.worlds import WORLDS, resolve_environments

SMALL = ["--max-episode-steps", "40", "--workers", "0", "--out"]


class DeafReach(ReachPolicy):
    """Goes to the red block, whatever it is told."""

    name = "deaf_reach"

    def _place(self, item: PolicyInput) -> np.ndarray:
        red = item.observation["pixels"]["primary"][..., 0] > 200
        rows, columns = np.nonzero(red)
        height, width = red.shape
        if not len(rows):
            return np.zeros(2)
        return np.array([columns.mean() / (width - 1) * 2 - 1, 1 - rows.mean() / (height - 1) * 2])


def reach(policy: type[ReachPolicy], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets "reach" name a trained policy."""
    found = Entrant(name=policy().name, factory=policy, spec=policy().spec)
    monkeypatch.setattr(entrants, "find_policy", lambda name, request: found)


def run(out: Path, *words: str) -> int:
    return main(["evaluate", "--policy", "reach", "--env", REACH_ID, *words, *SMALL, str(out)])


def test_it_leaves_everything_and_goes_on(tmp_path: Path, monkeypatch, capsys):
    reach(ReachPolicy, monkeypatch)
    out = tmp_path / "out"
    splits = ["--split", "in_domain", "lighting@3+pinyin"]
    assert run(out, "--episodes", "20", "--videos", "3", "--step", "700", *splits) == 0
    shown = capsys.readouterr()
    assert "\nblind " in shown.out
    assert "lighting@3+pinyin 20/20" in shown.err
    results = json.loads((out / "results.json").read_text())
    validate_results(results)
    assert results["episodes"] == {"asked": 120, "finished": 120}
    rates = {(row["control"], row["split"]): row for row in results["rows"]}
    assert len(rates) == 6
    assert rates[None, "in_domain"]["rate"] == 1.0
    assert rates["blind", "in_domain"]["ci_high"] < 1.0 == rates[None, "in_domain"]["ci_high"]
    assert results["warnings"] == []
    assert {row["control"] for row in results["comparisons"]} == {
        "random",
        "blind",
        "deaf",
        "shuffled",
    }
    assert pq.read_table(out / "episodes.parquet").num_rows == 120
    assert pq.read_table(out / "rates.parquet").num_rows == 6
    assert len(list((out / "videos").glob("*.mp4"))) == 3
    log = EventAccumulator(str(out / "tensorboard")).Reload()
    tags = [f"eval/uamsim_testing/in_domain/success{end}" for end in ("", "_lo", "_hi")]
    assert set(tags) <= set(log.Tags()["scalars"])
    assert [(e.step, e.value) for e in log.Scalars(tags[0])] == [(700, 1.0)]

    before = read_ledger(out / "ledger.sqlite")
    assert run(out, "--episodes", "20", "--videos", "3", *splits) == 0
    assert "episodes ·" not in capsys.readouterr().err
    assert run(out, "--episodes", "22", "--videos", "0", "--no-controls") == 0
    assert "going on after 20 of 22 episodes" in capsys.readouterr().err
    assert len(read_ledger(out / "ledger.sqlite")) == 122
    after = read_ledger(out / "ledger.sqlite")
    assert all(record in after for record in before)


def test_a_control_that_cannot_be_told_from_the_policy_is_named(
    tmp_path: Path, monkeypatch, capsys
):
    reach(DeafReach, monkeypatch)
    assert run(tmp_path / "out", "--episodes", "20", "--videos", "0") == 0
    warnings = json.loads((tmp_path / "out" / "results.json").read_text())["warnings"]
    named = [
        control
        for control in ("random", "blind", "deaf", "shuffled")
        for sentence in warnings
        if f"its {control} control" in sentence
    ]
    assert named == ["deaf", "shuffled"]
    assert "cannot be told from" in warnings[0]
    assert warnings[0] in capsys.readouterr().out


def test_chance_and_the_expert(tmp_path: Path, capsys):
    words = ["evaluate", "--env", "press_button", "--episodes", "1", "--workers", "0", "--videos"]
    for policy in ("random", "expert"):
        out = ["1", "--out", str(tmp_path), "--policy", policy]
        assert main([*words, *out, "--max-episode-steps", "60"]) == 0
    records = read_ledger(tmp_path / "ledger.sqlite")
    assert [record.policy for record in records] == ["expert", "random"]
    assert all(record.num_steps <= 60 for record in records)
    assert len(list((tmp_path / "videos").glob("press_button-*.mp4"))) == 2


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server of ``ReachPolicy``."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), queue.Queue[str]()
    serving = PolicyServer(ReachPolicy(), ServeConfig(port=0, batch_size=4))
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(serving.run(stop, ready.put)), daemon=True
    )
    thread.start()
    yield ready.get(timeout=120)
    loop.call_soon_threadsafe(stop.set)
    thread.join(120)
    loop.close()


def test_a_server_plays_what_its_policy_plays(tmp_path: Path, server: str, monkeypatch):
    words = ["--env", REACH_ID, "--episodes", "6", "--videos", "1", "--no-controls", *SMALL]
    for out in ("a", "a"):
        assert main(["evaluate", "--policy", server, *words, str(tmp_path / out)]) == 0
    served = read_ledger(tmp_path / "a" / "ledger.sqlite")
    assert {record.policy for record in served} == {served[0].policy}
    assert served[0].policy.startswith("reach:")
    reach(ReachPolicy, monkeypatch)
    assert run(tmp_path / "b", "--episodes", "6", "--videos", "0", "--no-controls") == 0
    own = read_ledger(tmp_path / "b" / "ledger.sqlite")
    assert [replace(record, policy="reach") for record in served] == own


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--policy", "nothing.safetensors"], "expected a checkpoint"),
        (["--policy", "ws://127.0.0.1:1"], "policy server"),
        (["--policy", "deaf:random"], "looks at nothing"),
        (["--policy", "random", "--env", "pick_plce"], "Did you mean 'pick_place'"),
        (["--policy", "random", "--env", "press_button", "--split", "pinyn"], "'pinyin'"),
        (["--policy", "random", "--episodes", "0"], "--episodes must be at least 1"),
        (["--policy", "random", "--inference", "1"], "--workers of at least 1"),
        (["--policy", "random", "--latency-s", "1"], "need --realtime"),
        ([], "--policy with one or --compare with two"),
        (["--policy", "random", "--compare", "random", "expert"], "either --policy"),
        (["--compare", "random", "random"], "two policies, got 'random' twice"),
        (
            ["--compare", "random", "expert", "--alpha", "5"],
            "--alpha must be at least 0 and at most 1",
        ),
        (["--policy", "random", "--margin", "0.1"], "--margin needs --compare"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, capsys, monkeypatch, words, message: str):
    monkeypatch.setattr("uamsim.serving.client.time.sleep", lambda _: None)
    assert main(["evaluate", "--out", str(tmp_path / "out"), "--workers", "0", *words]) in (1, 2)
    assert message in capsys.readouterr().err


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets "reach", "deaf_reach" and "twin", which does what reach does, name policies."""
    policies = {"reach": ReachPolicy, "twin": ReachPolicy, "deaf_reach": DeafReach}
    found = {
        name: Entrant(name=name, factory=partial(policy, name=name), spec=policy().spec)
        for name, policy in policies.items()
    }
    monkeypatch.setattr(entrants, "find_policy", lambda name, request: found[name])


def compare(out: Path, *words: str) -> dict:
    common = ["--env", REACH_ID, "--videos", "0", *SMALL, str(out)]
    assert main(["evaluate", "--compare", *words, *common]) == 0
    results = json.loads((out / "results.json").read_text())
    validate_results(results)
    return results


def test_a_comparison_stops_once_it_has_decided(tmp_path: Path, rivals, capsys):
    words = ["deaf_reach", "reach", "--split", "in_domain", "pinyin", "--episodes", "200"]
    results = compare(tmp_path / "a", *words, "--look-every", "8")
    found = results["comparisons"]
    assert {(row["reference"], row["policy"]) for row in found} == {("deaf_reach", "reach")}
    assert [(row["split"], row["verdict"]) for row in found] == [
        ("in_domain", "second"),
        ("pinyin", "second"),
    ]
    for row in found:
        # As soon as it has: in the round of the decision.
        assert row["decided_after"] <= row["episodes"] < row["decided_after"] + 8 < 60
    assert "second is better after" in capsys.readouterr().out
    log = EventAccumulator(str(tmp_path / "a" / "tensorboard" / "second")).Reload()
    assert "eval/uamsim_testing/pinyin/success" in log.Tags()["scalars"]
    # However often one looks, the same is decided after the same episodes.
    again = compare(tmp_path / "b", *words, "--look-every", "64")["comparisons"]
    assert [r["decided_after"] for r in again] == [r["decided_after"] for r in found]
    assert all(row["episodes"] == 64 for row in again)
    # What is there is not run again, and does not move the decision.
    assert compare(tmp_path / "b", *words, "--look-every", "8")["comparisons"] == found
    assert len(read_ledger(tmp_path / "b" / "ledger.sqlite")) == 2 * 2 * 64


def test_a_comparison_of_equals_ends_with_the_episodes_or_within_the_margin(tmp_path: Path, rivals):
    words = ["reach", "twin", "--look-every", "30"]
    (row,) = compare(tmp_path, *words, "--episodes", "40")["comparisons"]
    assert (row["verdict"], row["episodes"], row["p_value"]) == ("undecided", 40, 1.0)
    words += ["--episodes", "400", "--margin", "0.3"]
    (row,) = compare(tmp_path, *words)["comparisons"]
    assert row["verdict"] == "equivalent"
    assert row["episodes"] == 30 * -(-row["decided_after"] // 30) < 400


def test_worlds_tasks_and_ids_are_environments():
    assert list(resolve_environments(["aloha"])) == list(WORLDS["aloha"].tasks.values())
    found = resolve_environments(["pick_place", REACH_ID, "pick_place"])
    assert list(found.values()) == ["aloha", "uamsim_testing"]
    with pytest.raises(UnknownNameError, match="Did you mean 'uamsim/AlohaPickPlace-v0'"):
        resolve_environments(["uamsim/AlohaPickPlac-v0"])
    with pytest.raises(MissingDependencyError, match="no_such_package"):
        resolve_environments(["no_such_package:uamsim/AlohaPickPlace-v0"])


BASE = EvaluationRequest(policy="random", env=("press_button",), episodes=2)
VARIED: dict[str, Any] = {
    "policy": "expert",
    "env": ("pick_place",),
    "split": ("pinyin",),
    "batch": 3,
    "render_profile": "quality",
    "max_episode_steps": 30,
    "realtime": True,
    "latency_s": 0.1,
    "replan_steps": 2,
    "cameras": ("primary", "wrist"),
    "image_size": (32, 32),
    "control": "joint",
    "horizon": 5,
}
"""Another value of every option that decides an episode of a policy that does not state it."""
EQUAL: dict[str, Any] = {
    "alpha": 0.1,
    "margin": 0.3,
    "look_every": 4,
    "episodes": 3,
    "seed": 1_000_001,
    "controls": False,
    "device": "cuda",
    "server_keys": "libero",
    "compare": ("random", "expert"),
    "adapter": Adapter(success="terminated"),
}
"""Likewise, of options that decide which episodes are run, or nothing of the random policy's in an
environment of ours."""


def settings_of(**changes: Any) -> set[str]:
    request = {f.name: getattr(BASE, f.name) for f in dataclasses.fields(BASE)} | changes
    if {"latency_s", "replan_steps"} & changes.keys():
        request["realtime"] = True
    if "compare" in changes or "margin" in changes:
        request |= {"policy": None, "compare": ("random", "expert")}
    asked = EvaluationRequest(**request)
    return {job.setting for job in plan(asked, find_entrants(asked))}


def test_every_option_that_decides_an_episode_is_in_its_identity(monkeypatch):
    names = {field.name for field in dataclasses.fields(EvaluationRequest)}
    assert names == VARIED.keys() | EQUAL.keys()
    (before,) = settings_of()
    found = {name: settings_of(**{name: value}) for name, value in VARIED.items()}
    assert [name for name, settings in found.items() if before in settings] == []
    assert len(set().union(*found.values())) == len(VARIED)
    same = {name: settings_of(**{name: value}) for name, value in EQUAL.items()}
    assert [name for name, settings in same.items() if before not in settings] == []
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert before not in settings_of()


def test_a_server_that_states_nothing_is_known_by_what_it_was_asked(monkeypatch):
    def asked(**changes: Any) -> str:
        request = replace(BASE, policy="ws://h:1", controls=False, cameras=("primary",), **changes)
        (job,) = plan(request, find_entrants(request))
        return job.setting

    class Silent:
        metadata: dict[str, Any] = {}  # noqa: RUF012
        spec = BASE.spec

        def close(self) -> None:
            pass

    monkeypatch.setattr(ServerFactory, "connect", lambda self: Silent())
    changes = [{}, {"horizon": 5}, {"server_keys": "libero"}, {"image_size": (32, 32)}]
    assert len({asked(**change) for change in changes}) == len(changes)


def test_controls_join_trained_policies_in_domain(monkeypatch):
    reach(ReachPolicy, monkeypatch)
    names = [e.control for e in find_entrants(EvaluationRequest(policy="reach"))]
    assert names == [None, "random", "blind", "deaf", "shuffled"]
    assert len(find_entrants(EvaluationRequest(policy="reach", split=("pinyin",)))) == 1
    monkeypatch.undo()
    assert len(find_entrants(EvaluationRequest(policy="random"))) == 1


def test_a_world_has_its_own_control_and_pictures_where_nothing_else_is_asked_for():
    calvin, aloha = "uamsim_envs:uamsim/CalvinChains-D-v0", "uamsim_envs:uamsim/AlohaPickPlace-v0"
    for env, expected in {
        calvin: ("relative", 7, "tiny"),
        aloha: ("ee", 14, "fast"),
    }.items():
        request = EvaluationRequest(policy="expert", env=(env,), episodes=1)
        (job,) = plan(request, find_entrants(request))
        profile = job.unit.env_kwargs["render_profile"]
        assert (job.unit.env_kwargs["control"], request.spec.action_dim, profile) == expected
    request = EvaluationRequest(policy="expert", env=(calvin,), render_profile="egl", episodes=1)
    (job,) = plan(request, find_entrants(request))
    assert job.unit.env_kwargs["render_profile"] == "egl"
    request = EvaluationRequest(policy="random", env=(calvin,), realtime=True)
    with pytest.raises(ConfigError, match="movements"):
        plan(request, find_entrants(request))
