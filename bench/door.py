"""What the door costs: decisions, the trail, scopes in searches, de-identification, and C-ECHO and searches beside another build.

Writes docs/BENCHMARKS-DOOR.md and bench/results-door.json; with parts named (`make bench-door ARGS="decision trail"`) the rows of
the others stay as they were. `--before BINARY` is a `leadglass` built from an earlier commit, for the part `before`.
Everything is on 127.0.0.1.
"""

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "interop"), str(ROOT / "bench")]
os.environ.setdefault("LEADGLASS_BINARY", str(ROOT / "target" / "release" / "leadglass"))
import leadglass  # noqa: E402
from run import Leadglass, load  # noqa: E402
from table import Table, machine  # noqa: E402

EXAMPLES = ROOT / "target" / "release" / "examples"
ROUNDS, ECHOES, SEARCHES, STORED = 7, 2_000, 1_000, 200
TRAIL_ROWS, STUDIES = 10_000_000, 1_000_000


def example(name, *arguments):
    done = subprocess.run([EXAMPLES / name, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-500:]}")
    return done.stdout


def decision(table, _):
    took = json.loads(example("decision_bench"))
    table.add(f"a decision, among {took['callers']:,} callers, p99", "µs", took["p99_us"], most=20,
              note=f"`decision_bench`; p50 {took['p50_us']:.2f} µs, mean {took['mean_us']:.2f} µs with the clock read twice")


def trail(table, _):
    with tempfile.TemporaryDirectory(prefix="leadglass-trail-", dir=ROOT / "target") as folder:
        said = example("trail_bench", TRAIL_ROWS, folder)
    for question in ("who saw this patient", "what did this person do"):
        ms = float(re.search(rf"^{question} +first page +([\d.]+) ms", said, re.M).group(1))
        table.add(f"{question}, {TRAIL_ROWS:,} entries, first 1,000", "ms", ms, most=2_000, note="`trail_bench`, a fresh connection")


def scope(table, _):
    """The budget is for questions by name, ID, date and accession number; what names sound like is a row of its own."""
    said = example("index_bench", STUDIES)
    for reach in ("everything", "one referrer of a thousand"):
        rows = said.split(f" within reach: {reach}\n")[1].split(" within reach:")[0]
        took = {name.strip(): (float(p50), float(p95)) for name, p50, p95 in re.findall(r"^  (.{28}) p50 +([\d.]+) ms +p95 +([\d.]+) ms", rows, re.M)}
        fuzzy = took.pop("name, fuzzy")
        slowest = max(took, key=lambda name: took[name][1])
        where = f"search among {STUDIES:,} studies, 25 rows, p95; within reach: {reach}"
        table.add(f"{where}; slowest of {len(took)} questions", "ms", took[slowest][1], most=20,
                  note=f"`index_bench`; the question: {slowest}, p50 {took[slowest][0]} ms")
        table.add(f"{where}; names by sound", "ms", fuzzy[1], note=f"`index_bench`; p50 {fuzzy[0]} ms")


def deidentify(table, _):
    took = json.loads(example("deidentify_bench"))
    table.add("de-identification of 525 KB CTs, 2 workers", "1/s", took["instances_per_second"], least=300,
              note=f"`deidentify_bench`; {took['cpu_ms_each']} ms of processor time each")


def at_full_size(test):
    command = ["cargo", "test", "--release", "--locked", "-p", "leadglass", "--test", "dimse", "--", "--nocapture", test]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"LEADGLASS_FULL": "1"})
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout


def crowd(table, _):
    said = at_full_size("associations_under_the_cap_are_all_held_and_answered")
    held, active, p99, unit, mib = re.search(r"(\d+) associations, (\d+) active: C-ECHO p99 ([\d.]+)(µs|ms), resident (\d+) MiB", said).groups()
    table.add(f"C-ECHO p99, {held} associations held, {active} active", "ms", float(p99) / (1000 if unit == "µs" else 1), most=250,
              note="archive and all peers in one process")
    table.add(f"memory with {held} associations", "MiB", int(mib), most=1024, note="archive and all peers in one process")


def strangers(table, _):
    cycles, kib = re.search(r"(\d+) rejections: (\d+) KiB more", at_full_size("strangers_who_come_again_and_again_leave_nothing")).groups()
    table.add(f"growth over {int(cycles):,} strangers who are sent away", "MiB", int(kib) / 1024, most=16, note="most by title; others go at once, know no TLS, show no certificate, have no token")


def before(table, earlier):
    """Both archives hold the same and are asked in turn, so that both meet the same machine."""
    if earlier is None:
        print("before: needs --before BINARY")
        return
    figures = {"C-ECHO": {}, "QIDO-RS, one study by Study Instance UID": {}}
    with tempfile.TemporaryDirectory(prefix="leadglass-door-") as folder:
        doors = {}
        for name, binary in (("now", leadglass.BINARY), ("before", Path(earlier))):
            leadglass.BINARY = binary
            (Path(folder) / name).mkdir()
            doors[name] = Door(Path(folder) / name)
            load("store", *doors[name].dimse(), "--count", STORED)
        paths = Path(folder) / "paths"
        study = doors["now"].archive.session().get(f"{doors['now'].archive.dicomweb}/studies?limit=1").json()[0]["0020000D"]["Value"][0]
        paths.write_text(f"/dicom-web/studies?StudyInstanceUID={study}\n")
        for round_ in range(ROUNDS):
            for name in ("now", "before") if round_ % 2 else ("before", "now"):
                door = doors[name]
                echo = load("echo", *door.dimse(), "--count", ECHOES)
                search = load("get", *door.web(), "--paths", paths, "--count", SEARCHES, "--accept", "application/dicom+json", token=door.token)
                for work, took in zip(figures, (echo, search)):
                    figures[work].setdefault(name, []).append(took["p50_ms"])
        for door in doors.values():
            door.stop()
    for work, took in figures.items():
        pairs = [then / now for now, then in zip(took["now"], took["before"])]
        table.add(f"{work}, p50", "ms", statistics.median(took["now"]), peer=statistics.median(took["before"]), higher_is_better=False, times_peer=1 / 1.1,
                  note=f"peer: an earlier build of ours; {ROUNDS} rounds in turn, before/now from {min(pairs):.2f} to {max(pairs):.2f}")


class Door(Leadglass):
    """An archive of whatever build, which may know no envelopes yet."""

    def widen(self):
        try:
            super().widen()
        except Exception as error:  # noqa: BLE001 - an earlier build has no such page
            print(f"envelopes stay as they are: {error}")


PARTS = {"decision": decision, "scope": scope, "trail": trail, "deidentify": deidentify, "crowd": crowd, "strangers": strangers,
         "before": before}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all of them when none is named")
    parser.add_argument("--before", help="a leadglass of an earlier commit")
    options = parser.parse_args()
    kept = ROOT / "bench" / "results-door.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name, part in PARTS.items():
        if name in (options.parts or PARTS):
            table = Table()
            part(table, options.before)
            if table.rows:
                results[name] = {"date": str(datetime.date.today()), "rows": table.rows}
                kept.write_text(json.dumps(results, indent=1) + "\n")
    whole = Table()
    whole.rows = [row for name in PARTS if name in results for row in results[name]["rows"]]
    dates = ", ".join(f"{name} {results[name]['date']}" for name in PARTS if name in results)
    (ROOT / "docs" / "BENCHMARKS-DOOR.md").write_text("\n".join([
        "# Benchmarks of the door", "",
        f"Measured with `make bench-door` on {machine()}. What identity, rights, trail and brake cost. Parts, and when each was measured:",
        f"{dates}. Budgets were set before anything was measured; a missed one is said so. A part that is not here was not run.", "",
        *whole.markdown()]) + "\n")


if __name__ == "__main__":
    main()
