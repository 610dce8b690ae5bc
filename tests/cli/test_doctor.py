import subprocess
import sys

import pytest

from uamsim.cli import doctor
from uamsim.cli.doctor import Check


def test_report_lists_each_check_and_fails_when_one_is_broken(monkeypatch, capsys):
    checks = (
        lambda: Check(name="one", status="ok", found="fine"),
        lambda: Check(name="two", status="warning", found="old", mend="renew it"),
        lambda: Check(name="three", status="broken", found="gone", mend="first\nsecond"),
    )
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert doctor.main([]) == 1
    text = capsys.readouterr().out
    assert "BROKEN   three" in text
    assert "second" in text
    assert "1 broken." in text
    monkeypatch.setattr(doctor, "CHECKS", checks[:2])
    assert doctor.main([]) == 0


def test_gl_prints_only_the_backend(monkeypatch, capsys):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    tried = []

    def probe(code, *, env, timeout_s=120):
        tried.append(env["MUJOCO_GL"])
        return env["MUJOCO_GL"] == "osmesa", "no device"

    monkeypatch.setattr(doctor, "run_probe", probe)
    assert doctor.main(["--gl"]) == 0
    assert capsys.readouterr().out == "osmesa\n"
    assert tried == ["egl", "osmesa"]


def test_without_gl_every_system_gets_its_command(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run_probe", lambda *_, **__: (False, "no device"))
    assert doctor.main(["--gl"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    for word in ("apt-get install", "dnf install", "conda install", "no device"):
        assert word in captured.err


def test_probe_reports_exit_crash_and_hang():
    assert doctor.run_probe("print('a'); print('b')") == (True, "b")
    assert doctor.run_probe("raise SystemExit('why')") == (False, "why")
    ok, message = doctor.run_probe("import os; os.kill(os.getpid(), 9)")
    assert (ok, message) == (False, "killed by signal 9")
    ok, message = doctor.run_probe("import time; time.sleep(60)", timeout_s=0.5)
    assert not ok
    assert "no answer" in message


def test_versions_are_compared_with_the_pins(tmp_path):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# a comment\nNumPy==0.0.1\n")
    check = doctor.check_packages(pins)
    assert check.status == "warning"
    assert "numpy" in check.found
    assert doctor.check_packages(tmp_path / "none.txt").status == "ok"
    assert doctor.read_constraints("Typing_Extensions==4.1 # why\n") == {"typing-extensions": "4.1"}


def test_an_unwritable_or_full_cache_is_broken(monkeypatch, tmp_path):
    monkeypatch.setenv("UAMSIM_CACHE", str(tmp_path / "a" / "b"))
    assert doctor.check_cache().status == "ok"
    monkeypatch.setattr(doctor, "MIN_FREE_GIB", 1e9)
    check = doctor.check_cache()
    assert check.status == "broken"
    assert "UAMSIM_CACHE" in check.mend


@pytest.mark.parametrize("check", [doctor.check_python, doctor.check_process, doctor.check_models])
def test_quick_checks_do_not_fail_here(check):
    assert check().status != "broken"


@pytest.mark.slow
def test_rendering_and_video_work_here():
    assert doctor.check_gl().status == "ok"
    assert doctor.check_video().status == "ok"


def test_importing_doctor_is_cheap():
    code = "import uamsim.cli.doctor, sys; assert not {'torch', 'mujoco', 'ray'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
