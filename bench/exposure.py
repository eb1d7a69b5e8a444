"""The exposure audit's benchmark: the sweep, its memory, the walk of file trees, an estate of 2,300 systems, the gate.

Alone (`make bench-exposure`) it writes docs/BENCHMARKS-EXPOSURE.md and bench/results-exposure.json; bench/run.py has
the same rows. With parts named (`make bench-exposure ARGS="sweep walk"`) the rows of the others stay as they were. Each figure is the median of three runs, each begun when the machine was as quiet as it got.
Everything is on 127.0.0.0/8.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "interop"), str(ROOT / "interop" / "exposure")]
os.environ.setdefault("LEADGLASS_BINARY", str(ROOT / "target" / "release" / "leadglass"))
from audit import INCOMPLETE, scope_text, stamp  # noqa: E402
from leadglass import BINARY, EXAMPLES, Archive  # noqa: E402
from table import Table, machine  # noqa: E402
from trees import instance  # noqa: E402

SAMPLES = 3
DICOM_PORTS = [104, 2345, 2761, 2762, 4242, 11112]
# Checks that find that whoever comes gets at images or records.
OPENS = {"D-07", "D-08", "W-02", "W-03", "W-06", "W-10", "A-01", "A-03"}
SWEPT_PROBES = 400_000
CUT_S = 20
FOLDERS, FILES_OF_ONE, FILE_BYTES = 1_000, 100, 4_096
PATIENCE_S, QUIET_CORES = 30, 0.2  # for each run, and cores that others may take of the machine


class Report:
    """The rows, and under what each was measured."""

    def __init__(self):
        self.table, self.measured, self.part = Table(), [], None

    def add(self, work, unit, ours, command, **more):
        """`ours` (and floor, peer) are lists of samples; the median counts."""
        for name in ("peer", "floor"):
            more[name] = statistics.median(more[name]) if name in more else None
        self.table.add(work, unit, statistics.median(ours), **more)
        self.measured.append({"part": self.part, "date": str(datetime.date.today()), "work": work, "command": command, "samples": ours, "busy_cores_before": quiet.taken()})

    def markdown(self):
        lines = [f"Medians of {SAMPLES} runs unless one is named. `sweep_bench` and `walk_bench` are examples of `leadglass-exposure`: no command can",
                 "lift the ceiling on connects a second. Floors are the same work raw: connects that do not wait from two threads; open, fstat and one",
                 "read a file from four. nmap runs its `dicom-ping` over the same addresses and the DICOM ports; it asks each for an association and",
                 "nothing more, so its time is that of a smaller question.", "", *self.table.markdown(), "",
                 "| row | command | measured | runs | cores busy with other work in the second before each run |", "|---|---|---|---|---|"]
        for row in self.measured:
            runs = ", ".join(f"{run:.3g}" if run < 100 else f"{run:.0f}" for run in row["samples"])
            busy = ", ".join(f"{cores:.1f}" for cores in row["busy_cores_before"])
            lines.append(f"| {row['work']} | `{row['command']}` | {row['date']} | {runs} | {busy} |")
        return lines

    def json(self):
        return {"rows": self.table.rows, "measured": self.measured}

    def keep(self, earlier, part):
        """Takes the rows of a part from an earlier run."""
        for row, measured in zip(earlier["rows"], earlier["measured"]):
            if measured["part"] == part:
                self.table.rows.append(row)
                self.measured.append(measured)


class Quiet:
    """Waits for others to be done, for a while, and keeps what they still took of the machine."""

    def __init__(self):
        self.seen = []

    def wait(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            before, began = busy_ticks(), time.monotonic()
            time.sleep(1)
            cores = (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
            if cores <= QUIET_CORES or time.monotonic() > deadline:
                self.seen.append(round(cores, 2))
                return

    def taken(self):
        """What was seen since it was last asked."""
        seen, self.seen = self.seen, []
        return seen


def busy_ticks():
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _wait, irq, softirq = fields[:7]
    return user + nice + system + irq + softirq


quiet = Quiet()


def sampled(once, *arguments):
    """What `once` gives, three times, each in as quiet a moment as there was."""
    samples = []
    for _ in range(SAMPLES):
        quiet.wait()
        samples.append(once(*arguments))
    return samples


def example(name, *arguments):
    done = subprocess.run([str(EXAMPLES / name), *map(str, arguments)], capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


def measure(folder, parts=(), earlier=None):
    """All rows, or those of some parts and the others as they were."""
    report = Report()
    for part in (sweep, sweep_memory, command_memory, walk, estate, gate):
        report.part = part.__name__
        if not parts or report.part in parts:
            part(report, Path(folder))
        elif earlier:
            report.keep(earlier, report.part)
    return report


def sweep(report, _folder):
    ours = sampled(example, "sweep_bench", 16)
    floor = sampled(example, "sweep_bench", "--floor", 16)
    if not all(run["whole"] and run["refused"] == 65_536 * 6 for run in ours + floor):
        raise RuntimeError("something listens where nothing should: close what is on 127.1.0.0/16")
    rate = lambda runs: [run["per_second"] for run in runs]  # noqa: E731
    report.add("refused connects, 65,536 addresses × 6 ports, ceiling lifted", "1/s", rate(ours), "sweep_bench 16; sweep_bench --floor 16", floor=rate(floor),
               note=f"{statistics.median(run['cpu_seconds'] for run in ours):.2g} s of processor in {statistics.median(run['seconds'] for run in ours):.2g} s",
               least=15_000)


def sweep_memory(report, _folder):
    for prefix, most in ((24, None), (16, None), (8, SWEPT_PROBES)):
        arguments = [prefix] + ([most] if most else [])
        runs = sampled(example, "sweep_bench", *arguments)
        probes = runs[0]["probes"]
        report.add(f"peak memory, sweep of a /{prefix}, ceiling lifted", "MiB", [run["peak_rss_kib"] / 1024 for run in runs],
                   "sweep_bench " + " ".join(map(str, arguments)), higher_is_better=False,
                   note=f"cut short after {probes:,} of {(1 << 24) * 6:,} probes: all would take about half an hour at this speed" if most else f"all {probes:,} probes", most=64)


def command_memory(report, folder):
    """The command itself, at the highest pace that a scope may ask for; one run each."""
    for prefix, network, more in ((24, "127.99.7.0/24", []), (16, "127.98.0.0/16", []), (8, "127.0.0.0/8", ["--allow-large"])):
        run = folder / f"sweep-{prefix}"
        run.mkdir()
        asset = {"label": "loopback", "addresses": [network], "ports": DICOM_PORTS}
        (run / "scope.toml").write_text(scope_text([asset], depth=1))
        quiet.wait()
        done = Timed([BINARY, "exposure", "run", "--scope", run / "scope.toml", "--out", run / "out", *more], run / "log", cut_after=CUT_S)
        if done.code not in (0, 1, INCOMPLETE):
            raise RuntimeError((run / "log").read_text()[-500:])
        report.add(f"peak memory, `leadglass exposure run` over a /{prefix}", "MiB", [done.peak_mib], f"leadglass exposure run --scope {network}, 2,000/s, depth 1",
                   higher_is_better=False, note=f"interrupted after {CUT_S} s; one run" if done.code == INCOMPLETE else "to its end; one run", most=64)


class Timed:
    """A command run to its end, or interrupted: seconds, peak memory, exit code."""

    def __init__(self, command, log, cut_after=900):
        with open(log, "wb") as out:
            began = time.monotonic()
            process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            self.peak_mib, interrupted = 0, False
            while process.poll() is None:
                self.peak_mib = max(self.peak_mib, peak_mib(process.pid))
                if time.monotonic() - began > cut_after and not interrupted:
                    process.send_signal(signal.SIGINT)
                    interrupted = True
                time.sleep(0.01)
            self.seconds, self.code = time.monotonic() - began, process.returncode


def peak_mib(pid):
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) / 1024 if found else 0


def walk(report, folder):
    tree = folder / "tree"
    for at in range(FOLDERS):
        below = tree / f"{at:04}"
        below.mkdir(parents=True)
        for number in range(FILES_OF_ONE):
            (below / f"IM{number:04}.dcm").write_bytes(instance(60, "Bench", f"2.25.{at}.{number}").ljust(FILE_BYTES, b"\0"))
    example("walk_bench", "--floor", tree)
    ours, floor = sampled(example, "walk_bench", tree), sampled(example, "walk_bench", "--floor", tree)
    files = FOLDERS * FILES_OF_ONE
    if any(run["dicom_files"] != files for run in ours) or any(run["files"] != files for run in floor):
        raise RuntimeError("the walk did not see all files")
    rate = lambda runs: [run["files_per_second"] for run in runs]  # noqa: E731
    report.add(f"file walk, {files:,} DICOM files of 4 KiB in {FOLDERS:,} folders, warm", "files/s", rate(ours), "walk_bench TREE; walk_bench --floor TREE", floor=rate(floor),
               note="headers read to their end, permissions and ACLs too", least=40_000)
    shutil.rmtree(tree)


def estate(report, folder):
    """The scan of 2019 on loopback: time, memory, and how many of the 590 are told."""
    answering = start_estate(folder)
    try:
        scope = (folder / "scope.toml").read_text()
        now = datetime.datetime.now(datetime.timezone.utc)
        scope = scope.replace("VALID_FROM", stamp(now - datetime.timedelta(hours=1))).replace("VALID_UNTIL", stamp(now + datetime.timedelta(hours=12)))
        (folder / "scope.toml").write_text(scope)
        addresses = dict(re.findall(r'label = "(.*)"\nclass = .*\naddresses = \["(.*)"\]', scope))
        (folder / "addresses").write_text("\n".join(addresses.values()) + "\n")
        ours = sampled(audit_estate, folder, addresses)
        ours_busy = quiet.taken()
        nmap = sampled(nmap_estate, folder)
    finally:
        answering.stdin.close()
        answering.wait(10)
    opened = ours[-1]["open"]
    checked = len(addresses)
    pace = "2,000/s, 200 hosts at once"
    quiet.seen = ours_busy
    report.add(f"estate of {checked:,} systems × 4 ports, depth 2", "s", [run["seconds"] for run in ours], "leadglass exposure run --scope ESTATE --seed 7",
               peer=[run["seconds"] for run in nmap], higher_is_better=False, most=600,
               note=f"{pace}; {ours[-1]['outcomes']:,} outcomes. Peer: nmap -n -Pn --script dicom-ping -p " + ",".join(map(str, DICOM_PORTS)))
    report.add("open systems told, of 590", "systems", [len(run["open"]) for run in ours], "the same", peer=[len(run["insecure"] & opened) for run in nmap], least=590,
               note=f"beside them called open: ours {len(opened) - 590 if len(opened) > 590 else 0}, nmap {len(nmap[-1]['insecure'] - opened)}; nmap names {len(nmap[-1]['dicom'])} systems as DICOM "
                    "and cannot tell who answers a query from who only accepts")
    report.add("peak memory, the audit of that estate", "MiB", [run["peak_mib"] for run in ours], "the same", higher_is_better=False, note="report of all systems included")


def start_estate(folder):
    """Its addresses are fixed: while another estate is up, it waits."""
    deadline = time.monotonic() + 300
    while True:
        process = subprocess.Popen([str(EXAMPLES / "estate"), "--dir", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if process.stdout.readline() == "ready\n":
            return process
        _, errors = process.communicate()
        if time.monotonic() > deadline:
            raise RuntimeError("the estate did not start: " + errors[-300:])
        time.sleep(2)


def audit_estate(folder, addresses):
    out = folder / "estate-out"
    shutil.rmtree(out, ignore_errors=True)
    done = Timed([BINARY, "exposure", "run", "--scope", folder / "scope.toml", "--out", out, "--seed", "7"], folder / "estate.log")
    if done.code != 1:
        raise RuntimeError(f"exit {done.code}: " + (folder / "estate.log").read_text()[-500:])
    systems = json.loads((out / "report.json").read_text())["systems"]
    outcomes = {system["label"]: [outcome for service in system["services"] for outcome in service["outcomes"]] for system in systems}
    is_open = lambda found: any(outcome["state"] == "finding" and outcome["check"] in OPENS for outcome in found)  # noqa: E731
    return {"seconds": done.seconds, "peak_mib": done.peak_mib, "outcomes": sum(map(len, outcomes.values())),
            "open": {addresses[label] for label, found in outcomes.items() if is_open(found)}}


def nmap_estate(folder):
    out = folder / "nmap.xml"
    done = Timed(["nmap", "-n", "-Pn", "-p", ",".join(map(str, DICOM_PORTS)), "--script", "dicom-ping", "-iL", folder / "addresses", "-oX", out], folder / "nmap.log")
    if done.code:
        raise RuntimeError((folder / "nmap.log").read_text()[-500:])
    insecure, dicom = set(), set()
    for host in xml.etree.ElementTree.parse(out).iter("host"):
        said = [script.get("output") for script in host.iter("script") if script.get("id") == "dicom-ping"]
        address = host.find("address").get("addr")
        if any("discovered" in output for output in said):
            dicom.add(address)
        if any("Insecure" in output for output in said):
            insecure.add(address)
    return {"seconds": done.seconds, "insecure": insecure, "dicom": dicom}


def gate(report, folder):
    """A start from nothing and a start again, the look at the doors' rehearsal included."""
    starts = []

    def start():
        archive = Archive(folder / f"gate-{len(starts)}")
        seconds = []
        for _ in range(2):
            began = time.monotonic()
            archive.start()
            seconds.append(time.monotonic() - began)
            archive.stop()
        starts.append(seconds)
        text = Path(f"{archive.data_dir}.log").read_text()
        archive.remove()
        return seconds[0], seconds[1], *looks(text)

    runs = sampled(start)
    busy = quiet.taken()
    command = "leadglass demo --no-samples"
    for at, (work, budget) in enumerate((("first start until ready, the gate included", {"most": 1}), ("start again until ready, the gate included", {"most": 1}),
                                         ("of the first start, the look at the rehearsed doors", {}), ("of the start again, the look at the rehearsed doors", {}))):
        quiet.seen = busy
        report.add(work, "s", [run[at] for run in runs], command, higher_is_better=False, note="between two lines of the log" if at > 1 else "", **budget)


def looks(log):
    """Seconds between the two lines that the gate logs, start by start."""
    moments = []
    for line in log.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            if "rehearsal" in entry["message"]:
                moments.append(datetime.datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")))
    # The demo's setup is done in its first start: the doors may have been looked at once more then.
    if len(moments) not in (4, 6):
        raise RuntimeError("the log does not say when the doors were looked at")
    return [(moments[at + 1] - moments[at]).total_seconds() for at in (0, len(moments) - 2)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="on the file system to be measured")
    parser.add_argument("parts", nargs="*", metavar="PART", help="sweep, sweep_memory, command_memory, walk, estate, gate: measure only these")
    options = parser.parse_args()
    results = ROOT / "bench" / "results-exposure.json"
    earlier = json.loads(results.read_text()) if options.parts and results.exists() else None
    folder = tempfile.mkdtemp(prefix="leadglass-bench-", dir=options.folder)
    try:
        report = measure(folder, options.parts, earlier)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    command = "make bench-exposure"
    lines = ["# Benchmarks: the exposure audit", "", f"Measured with `{command}` on {machine()}. Budgets were set before anything was",
             "measured; a missed one is said so.", "", *report.markdown()]
    (ROOT / "docs" / "BENCHMARKS-EXPOSURE.md").write_text("\n".join(lines) + "\n")
    results.write_text(json.dumps({"machine": machine(), "command": command, **report.json()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
