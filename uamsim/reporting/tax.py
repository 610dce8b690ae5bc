"""The embodiment tax: Table 3 of the paper beside the same rows of a run."""

from uamsim.reporting import paper
from uamsim.reporting.labels import MODE_TITLES, interval_text
from uamsim.reporting.results import Results
from uamsim.reporting.tables import MISSING, Table

CLAIMS = "embodiment_tax"
"""The set of claims of the runs that show it."""
_ORDER = {"frozen": 0, "unfrozen": 1, "cotrained": 2, "insulated": 3}


def tax_table(results: Results) -> Table:
    """Action score, S and Δ of every trained policy, with the paper's; empty for other runs."""
    vlms = list(dict.fromkeys(row["vlm"] for row in paper.printed()["table_3"]))
    pairs = dict.fromkeys(
        (row["variant"], row["e_sem"])
        for row in [*results.raw["rows"], *results.raw["retention"]]
        if row["e_sem"] in _ORDER
    )
    if CLAIMS not in results.raw["claims"]:
        pairs = {}
    ranked = sorted(pairs, key=lambda p: (_ORDER[p[1]], results.variants.index(p[0])))
    rows = [[*_ours(results, *pair), *_theirs(vlms, *pair)] for pair in ranked]
    kept = 100 * paper.mean_retention()
    return Table(
        head=[
            "policy",
            "E_sem",
            "action",
            "S",
            "Δ",
            *(f"paper, {vlm}: action / S / Δ" for vlm in vlms),
        ],
        rows=rows,
        note="Action: in-domain success of all tasks pooled; the paper's is CALVIN's average "
        "length over 5. S: mean over skills; the paper's of MME / 28, MMMU and MMBench. "
        "Δ = 1 − S / S₀; the paper's S₀ is that of its frozen row. Co-trained: questions "
        "beside the actions. Insulated: questions alone train E_sem, no gradient of the actions "
        f"reaches it. The paper has UAM keep {kept:.2f}% (Table 2, mean of "
        f"{len(paper.retention())} benchmarks) with neither.",
        source=("rows", "retention"),
    )


def _ours(results: Results, variant: str, e_sem: str) -> list[str]:
    success = results.success(variant, e_sem)
    cells = [MISSING if success is None else interval_text(success)]
    for field in ("S", "delta"):
        kept = results.retained(variant, e_sem, field)
        cells.append(MISSING if kept is None else interval_text(kept, percent=False))
    return [results.variant_title(variant), MODE_TITLES[e_sem].removeprefix("E_sem "), *cells]


def _theirs(vlms: list[str], variant: str, e_sem: str) -> list[str]:
    found = paper.table_3(variant, e_sem)
    return [
        f"{found[v][0]:.1f}% / {found[v][1] / 100:.2f} / {found[v][2]:.2f}"
        if v in found
        else MISSING
        for v in vlms
    ]
