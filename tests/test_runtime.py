import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from uamsim.cli import VERBS, main, serve
from uamsim.runtime import MALLOC_ENV, default_root, process_environment
from uamsim.serving.refs import load_policy

PROGRAM = """
import json, os, sys
from uamsim.runtime import ensure_process_environment
ensure_process_environment()
print(json.dumps([sys.argv, {name: os.environ.get(name) for name in %r}]))
"""


def run(environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-c", PROGRAM % (list(MALLOC_ENV),), "a b", "--out=x"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    argv, seen = json.loads(result.stdout)
    return argv, seen


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's variables")
def test_the_command_starts_again_with_the_environment():
    bare = {k: v for k, v in os.environ.items() if k not in MALLOC_ENV}
    assert run(bare) == (["-c", "a b", "--out=x"], dict(MALLOC_ENV))
    argv, seen = run(bare | {"OMP_NUM_THREADS": "3"})
    assert argv == ["-c", "a b", "--out=x"]
    assert seen == {**MALLOC_ENV, "OMP_NUM_THREADS": "3"}


def test_workers_get_what_the_user_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    environment = process_environment()
    assert environment["OMP_NUM_THREADS"] == "7"
    assert environment["MALLOC_TOP_PAD_"] == MALLOC_ENV["MALLOC_TOP_PAD_"]


def test_the_cache_is_where_caches_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("UAMSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_root() == Path("/caches/uamsim")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "uamsim"


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_starts_with_the_environment(monkeypatch: pytest.MonkeyPatch, verb: str):
    seen = []
    monkeypatch.setattr("uamsim.runtime.ensure_process_environment", lambda: seen.append(verb))
    monkeypatch.setattr("importlib.import_module", lambda module: seen.append(module))
    monkeypatch.setattr(sys, "argv", ["uamsim", verb])
    with pytest.raises(AttributeError):
        main()
    assert seen == [verb, VERBS[verb][0].partition(":")[0]]


def test_whoever_loads_a_policy_sets_its_threads(monkeypatch: pytest.MonkeyPatch):
    set_to = []
    monkeypatch.setattr("torch.set_num_threads", set_to.append)
    monkeypatch.setattr("uamsim.serving.policy.VLAPolicy", lambda *_, **__: set_to.append("loaded"))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    load_policy(Path("none"))
    serve.load(serve.Command(policy="none", threads=3))
    assert set_to == [1, "loaded", 3, "loaded"]
