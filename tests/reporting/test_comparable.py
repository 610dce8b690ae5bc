from uamsim.reporting.remarks import NOT_COMPARABLE, world_remarks
from uamsim.reporting.report import build_report

STAND_IN = {"comparable": False, "planner": "ik", "assets": "5bf6 (stand-in)", "renderer": "raster"}
OWN = {"comparable": True, "planner": "curobo", "assets": "0123", "renderer": "ray-traced"}


def rows(*pairs):
    return [{"env_id": f"uamsim_envs:uamsim/{name}-v0", **world} for name, world in pairs]


def test_worlds_of_one_kind_are_named_together():
    remarks = world_remarks(rows(("A", STAND_IN), ("B", STAND_IN), ("C", OWN)))
    assert remarks == [
        f"Results of A-v0, B-v0 are {NOT_COMPARABLE} ones: planner ik, assets 5bf6 (stand-in), "
        "renderer raster.",
        "Results of C-v0: planner curobo, assets 0123, renderer ray-traced.",
    ]
    assert world_remarks([]) == []


def test_a_suite_is_not_listed_in_full():
    (remark,) = world_remarks(rows(*((name, STAND_IN) for name in "ABCDE")))
    assert remark.startswith("Results of A-v0, B-v0, C-v0 and 2 more are not comparable")


def test_a_report_says_first_what_is_not_comparable(make_results, write_run):
    out = write_run(make_results() | {"worlds": rows(("A", STAND_IN))})
    page = build_report(out).read_text("utf-8")
    assert page.index(NOT_COMPARABLE) < page.index("Against the paper")
    assert NOT_COMPARABLE in (out / "report.md").read_text("utf-8")


def test_a_report_of_worlds_of_this_repository_says_nothing(make_results, write_run):
    assert NOT_COMPARABLE not in build_report(write_run(make_results())).read_text("utf-8")
