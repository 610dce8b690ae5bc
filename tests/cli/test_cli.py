import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from uamsim.cli import VERBS, completion, main
from uamsim.cli.config_file import with_config
from uamsim.cli.evaluate import parse as parse_evaluation
from uamsim.cli.experiment import parse
from uamsim.errors import UamsimError, UnknownNameError
from uamsim.orchestration.spec import ExperimentSpec


def test_alone_prints_the_verbs(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)


def test_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"uamsim {version('uamsim')}\n"


def test_a_shell_completes_verbs_names_and_options():
    words = {verb: completion.words_of(verb) for verb in ("experiment", "splits")}
    text = completion.script("bash", words)
    typed = {
        "ex": "experiment",
        "experiment dorsal_s": "dorsal_sweep",
        "experiment x --tuning.learning": "--tuning.learning-rate",
        "splits x --training": "--training-episodes",
        "splits prev": "preview",
    }
    asks = [
        f'COMP_WORDS=(uamsim {line}); COMP_CWORD={len(line.split())}; _uamsim; echo "$COMPREPLY"'
        for line in typed
    ]
    done = subprocess.run(
        ["bash", "-c", "\n".join([text, *asks])], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == list(typed.values())
    assert main(["completion", "fish"]) == 2


def test_options_come_from_a_file(tmp_path, capsys):
    _, spec = parse("dorsal_sweep", ["--scale", "debug", "--tuning.steps", "7", "--seeds", "4"])
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    _, again = parse("dorsal_sweep", ["--config", str(tmp_path / "spec.json")])
    assert again == spec
    (tmp_path / "c.toml").write_text("seeds = [1, 2]\n[tuning]\nsteps = 9\n")
    _, other = parse("dorsal_sweep", [f"--config={tmp_path / 'c.toml'}", "--tuning.steps", "8"])
    assert isinstance(other, ExperimentSpec)
    assert (other.seeds, other.tuning.steps, other.scale) == ((1, 2), 8, "tiny")
    (tmp_path / "e.json").write_text('{"env": ["lift"], "controls": false, "margin": null}')
    words = with_config(["--config", str(tmp_path / "e.json"), "--policy", "random"])
    request, _ = parse_evaluation(words)
    assert (request.env, request.controls, request.margin) == (("lift",), False, None)
    assert main(["evaluate", "--config", "no_such.json"]) == 1
    assert "expected a JSON or TOML file, got no_such.json" in capsys.readouterr().err
    (tmp_path / "w.json").write_text('{"tuning": {"stepps": 1}}')
    with pytest.raises(UnknownNameError, match="Did you mean 'steps'"):
        parse("dorsal_sweep", ["--config", str(tmp_path / "w.json")])


def test_unknown_verb_names_the_nearest(capsys):
    assert main(["experimnt"]) == 2
    assert "Did you mean 'experiment'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--list"], ["--help"]])
def test_listing(capsys, words):
    assert main(["experiment", *words]) == 0
    assert "dorsal_sweep" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dorsal_swep"], "Did you mean 'dorsal_sweep'"),
        (["dorsal_sweep", "--scale", "tny"], "Did you mean 'tiny'"),
        (["dorsal_sweep", "--scale=smal"], "Did you mean 'small'"),
        (["dorsal_sweep", "--runner", "rai"], "Did you mean 'ray'"),
        (["dorsal_sweep", "--variants", "uamm"], "Did you mean 'uam'"),
        (["dorsal_sweep", "--evaluation.splits", "pinyn"], "Did you mean 'pinyin'"),
        (["dorsal_sweep", "--workers", "-1"], "workers"),
        (["dorsal_sweep", "--name", "other"], "fixed"),
        (["--scale", "tiny"], "name comes first"),
    ],
)
def test_bad_words_say_what_is_meant(capsys, words, message):
    assert main(["experiment", *words, "--dry-run"]) in (1, 2)
    assert message in capsys.readouterr().err


def test_unknown_flag_names_the_nearest(capsys):
    with pytest.raises(SystemExit):
        main(["experiment", "dorsal_sweep", "--tuning.step", "3"])
    assert "--tuning.steps" in capsys.readouterr().err


def test_any_field_by_its_name(tmp_path):
    options, spec = parse(
        "dorsal_sweep",
        [
            *("--scale", "debug", "--seeds", "0", "1", "2", "--tuning.steps", "100"),
            *("--model.vlm.backbone.depth", "2", "--pretraining.vlm.steps", "7"),
            *("--evaluation.splits", "pinyin", "--out", str(tmp_path), "--workers", "3"),
            *("--demonstrations.image-size", "64", "96", "--no-restored", "--resume"),
        ],
    )
    assert isinstance(spec, ExperimentSpec)
    assert spec.seeds == (0, 1, 2)
    assert (spec.tuning.steps, spec.pretraining.vlm.steps) == (100, 7)
    assert spec.model.vlm.backbone.depth == 2
    assert spec.evaluation.splits == ("pinyin",)
    assert not spec.restored
    assert options.out == tmp_path
    assert options.resume
    assert options.workers == 3


def test_defaults():
    options, spec = parse("dorsal_sweep", [])
    assert spec.scale == "tiny"
    assert str(options.out) == "outputs/dorsal_sweep-tiny"
    assert options.runner == "ray"
    assert options.workers >= 1


def test_errors_of_a_run_become_a_message(monkeypatch, capsys):
    def fail(_argv):
        raise UamsimError("the reason")

    monkeypatch.setattr("uamsim.cli.experiment.main", fail)
    assert main(["experiment", "x"]) == 1
    assert "uamsim experiment: the reason" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [("experiment", "dorsal_sweep", "--dry-run"), ("evaluate", "--help"), ("splits", "--help")],
)
def test_what_answers_at_once_loads_nothing_large(words):
    code = f"""
import contextlib, io, sys
from uamsim.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({list(words)})
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    large = {"torch", "ray", "mujoco", "av", "cv2", "gymnasium", "matplotlib", "pypinyin"}
    assert not (large | {"scipy.stats"}) & set(done.stdout.split())
