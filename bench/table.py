"""The rows of a benchmark: ours, a peer, the machine's floor, and the budget they are held against."""

import os
import platform
from pathlib import Path


class Table:
    def __init__(self):
        self.rows, self.raw = [], {}

    def add(self, work, unit, ours, peer=None, floor=None, higher_is_better=True, note="", **budget):
        """`budget`: times_peer=, of_floor=, least= (at least) or most= (at most, both of ours), set before anything was measured."""
        def ratio(other):
            if other in (None, 0) or ours in (None, 0):
                return None
            return ours / other if higher_is_better else other / ours
        row = {"work": work, "unit": unit, "ours": ours, "peer": peer, "floor": floor, "times_peer": ratio(peer), "of_floor": ratio(floor), "note": note}
        figures = {k: ours if k in ("least", "most") else row[k] for k in budget}
        kept = [None if figures[k] is None else figures[k] <= v if k == "most" else figures[k] >= v for k, v in budget.items()]
        names = {"times_peer": "≥ {:g} × peer", "of_floor": "≥ {:g} of floor", "least": "≥ {:.9g} " + unit, "most": "≤ {:g} " + unit}
        row["budget"] = ", ".join(names[k].format(v) for k, v in budget.items())
        # Without a figure to compare with, a budget is neither kept nor missed; one that is missed decides.
        row["kept"] = False if False in kept else None if None in kept or not kept else True
        self.rows.append(row)
        print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items() if v not in (None, "")), flush=True)

    def markdown(self):
        """The rows as the lines of a table."""
        figure = lambda v: "" if v is None else f"{v:.3g}" if v < 100 else f"{v:.0f}"  # noqa: E731
        lines = ["| work | × peer | of floor | budget | kept | ours | peer | floor | unit | note |", "|---|---|---|---|---|---|---|---|---|---|"]
        for row in self.rows:
            kept = {None: row["budget"] and "not measured", True: "yes", False: "**no**"}[row["kept"]]
            figures = [figure(row[name]) for name in ("times_peer", "of_floor", "ours", "peer", "floor")]
            lines.append("| " + " | ".join([row["work"], *figures[:2], row["budget"], kept, *figures[2:], row["unit"], row["note"]]) + " |")
        return lines


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores ({cpu}), Linux {platform.release()}"
