"""The project's benchmark: Leadglass (always with TLS, sealing and durable acknowledgement) beside Orthanc from Debian's
packages (clear text, as installed, and again with TCP_NODELAY=1) and beside the machine's own floor, in one run.

Writes docs/BENCHMARKS.md and bench/results.json; with --full docs/BENCHMARKS-MILLION.md and bench/results-million.json.
Everything is on 127.0.0.1.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "interop"))
os.environ.setdefault("LEADGLASS_BINARY", str(ROOT / "target" / "release" / "leadglass"))
import exposure  # noqa: E402
import people  # noqa: E402
from leadglass import Archive, free_port  # noqa: E402
from table import Table, machine  # noqa: E402

LOAD = ROOT / "target" / "release" / "leadglass-bench"
DICOM_WEB_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def load(*arguments, token=None):
    environment = os.environ | {"RUST_BACKTRACE": "0"} | ({"LEADGLASS_BENCH_TOKEN": token} if token else {})
    done = subprocess.run([str(LOAD), *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=3600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


class Leadglass:
    name = "Leadglass"

    def __init__(self, folder):
        self.archive = Archive(Path(folder) / "leadglass")
        started = time.monotonic()
        self.archive.start()
        self.start_seconds = time.monotonic() - started
        self.pid, self.token, self.prefix = self.archive.pid, self.archive.token, "/dicom-web"
        self.widen()

    def widen(self):
        """A benchmark takes more than anybody does: the brake is told beforehand, as for a migration."""
        officer = people.person(self.archive, "bench-officer", "--role", "privacy-officer")
        people.enrol(officer)
        session, admin = self.archive.session(), f"{self.archive.https}/admin/v1"
        envelope = {"patients_opened_an_hour": 10**9, "patients_listed_an_hour": 10**9, "bytes_an_hour": 10**15, "new_patients_a_day": 10**9}
        callers = [token["name"] for token in session.get(f"{admin}/tokens").json()] + [peer["ae"] for peer in session.get(f"{admin}/peers").json()]
        for caller in callers:
            officer.ask("PUT", f"/admin/v1/envelopes/{urllib.parse.quote(caller, safe='')}", envelope).raise_for_status()

    def dimse(self):
        a = self.archive
        return ["--address", f"{a.host}:{a.port}", "--ca", a.ca, "--cert", a.peer["cert"], "--key", a.peer["key"],
                "--calling", a.peer["ae"], "--called", a.ae]

    def web(self):
        return ["--address", self.archive.https.removeprefix("https://"), "--ca", self.archive.ca]

    def storescu(self, folder):
        a = self.archive
        return ["storescu", "+tls", a.peer["key"], a.peer["cert"], "+cf", a.ca, "-aet", a.peer["ae"], "-aec", a.ae, "+sd", a.host, str(a.port), str(folder)]

    def restart(self):
        self.archive.stop()
        started = time.monotonic()
        self.archive.start()
        self.pid, self.token = self.archive.pid, self.archive.token
        return time.monotonic() - started

    def kill_and_restart(self):
        self.archive.kill()
        started = time.monotonic()
        self.archive.start()
        self.pid, self.token = self.archive.pid, self.archive.token
        return time.monotonic() - started

    def stop(self):
        self.archive.stop()


class Orthanc:
    def __init__(self, folder, nodelay=False):
        self.name = "Orthanc, TCP_NODELAY=1" if nodelay else "Orthanc, as installed"
        self.folder = Path(folder) / ("orthanc-nodelay" if nodelay else "orthanc")
        self.folder.mkdir()
        self.dicom_port, self.http_port = free_port(), free_port()
        self.prefix, self.token = "/dicom-web", None
        plugins = [DICOM_WEB_PLUGIN] if Path(DICOM_WEB_PLUGIN).exists() else []
        self.has_web = bool(plugins)
        config = {"Name": "bench", "StorageDirectory": str(self.folder), "IndexDirectory": str(self.folder), "Plugins": plugins,
                  "DicomPort": self.dicom_port, "HttpPort": self.http_port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
                  "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
        (self.folder / "config.json").write_text(json.dumps(config))
        self.environment = os.environ | ({"TCP_NODELAY": "1"} if nodelay else {})
        self.start()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["Orthanc", str(self.folder / "config.json")], stdout=self.log, stderr=self.log, env=self.environment)
        self.pid = self.process.pid
        started = time.monotonic()
        while time.monotonic() - started < 60:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/system", timeout=2).read()
                return time.monotonic() - started
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("Orthanc did not start: " + (self.folder / "log").read_text()[-800:])

    def version(self):
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/system"))["Version"]

    def dimse(self):
        return ["--address", f"127.0.0.1:{self.dicom_port}", "--calling", "BENCH", "--called", "ORTHANC"]

    def web(self):
        return ["--address", f"127.0.0.1:{self.http_port}"]

    def storescu(self, folder):
        return ["storescu", "-aet", "BENCH", "-aec", "ORTHANC", "+sd", "127.0.0.1", str(self.dicom_port), str(folder)]

    def restart(self):
        self.stop()
        return self.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def memory_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def store_stock(server, folders):
    """Stock storescu processes, one a folder, all at once: instances a second."""
    count = sum(len(list(f.iterdir())) for f in folders)
    environment = {k: v for k, v in os.environ.items() if k != "TCP_NODELAY"}
    started = time.monotonic()
    running = [subprocess.Popen(server.storescu(f), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for f in folders]
    for process in running:
        _, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"storescu: {errors.decode(errors='replace')[-300:]}")
    return count / (time.monotonic() - started)


def paths_file(folder, name, lines):
    path = Path(folder) / name
    path.write_text("\n".join(lines) + "\n")
    return path


def uids(seed, series):
    return f"2.25.77.{seed}.{series}.1", f"2.25.77.{seed}.{series}.2"


class Bench:
    def __init__(self, folder, studies, orthanc_studies, large_bytes):
        self.folder, self.studies, self.orthanc_studies, self.large_bytes = Path(folder), studies, orthanc_studies, large_bytes
        self.table = Table()
        self.ours, self.plain, self.tuned = Leadglass(folder), Orthanc(folder), Orthanc(folder, nodelay=True)
        self.idle = memory_mib(self.ours.pid)
        self.seed = 100

    def fresh_seed(self):
        self.seed += 1
        return self.seed

    def run(self):
        for part in (self.stores, self.stow, self.retrieve, self.memory, self.large, self.search, self.start, self.replay):
            part()

    def stop(self):
        for server in (self.ours, self.plain, self.tuned):
            server.stop()

    def stores(self):
        floor_1 = load("floor", "append", "--folder", self.folder)["per_second"]
        floor_10 = load("floor", "append", "--folder", self.folder, "--group", 10)["per_second"]
        self.table.add("append + fdatasync of 525 KB, one by one (floor)", "1/s", floor_1)
        self.table.add("append + fdatasync of 525 KB, groups of ten (floor)", "1/s", floor_10)
        for associations, count in ((1, 200), (8, 800)):
            folders = []
            for n in range(associations):
                folders.append(self.folder / f"stock-{associations}-{n}")
                load("files", "--out", folders[-1], "--count", count // associations, "--seed", self.fresh_seed())
            ours, peer = store_stock(self.ours, folders), store_stock(self.plain, folders)
            self.table.add(f"C-STORE, stock storescu, 525 KB CT, {associations} association(s)", "1/s", ours, peer, note="peer: Orthanc as installed, clear text",
                           times_peer=10 if associations == 1 else 6)
            for folder in folders:
                shutil.rmtree(folder)
        for associations, floor in ((1, floor_1), (8, floor_10)):
            arguments = ["--count", 800, "--associations", associations]
            ours = load("store", *self.ours.dimse(), *arguments, "--seed", self.fresh_seed())
            peer = load("store", *self.tuned.dimse(), *arguments, "--seed", self.seed)
            self.table.add(f"C-STORE, Nagle off at both ends, {associations} association(s)", "1/s", ours["per_second"], peer["per_second"], floor,
                           note="peer: Orthanc with TCP_NODELAY=1; " + f"ours p50 {ours['p50_ms']:.2f} ms, p99 {ours['p99_ms']:.2f} ms", times_peer=3, of_floor=0.3)

    def stow(self):
        arguments = ["--count", 600, "--seed", self.fresh_seed()]
        ours = load("stow", *self.ours.web(), *arguments, token=self.ours.token)
        peer = load("stow", *self.tuned.web(), *arguments) if self.tuned.has_web else None
        self.table.add("STOW-RS, 100 instances a request", "instances/s", ours["per_second"], peer and peer["per_second"], times_peer=5)

    def retrieve(self):
        seed = self.fresh_seed()
        for server in (self.ours, self.tuned):
            load("store", *server.dimse(), "--count", 600, "--per-series", 600, "--associations", 4, "--seed", seed)
        study, series = uids(seed, 0)
        base = f"/dicom-web/studies/{study}/series/{series}"
        metadata = paths_file(self.folder, "metadata", [f"{base}/metadata"])
        get = lambda server, file, count, *more: load("get", *server.web(), "--paths", file, "--count", count, *more, token=server.token)  # noqa: E731
        json_type = ("--accept", "application/dicom+json", "--accept-encoding", "gzip")
        for label, count, most in (("first", 1, 50), ("again", 10, 10)):
            ours, peer = get(self.ours, metadata, count, *json_type), get(self.tuned, metadata, count, *json_type)
            self.table.add(f"WADO-RS metadata, 600-instance series, {label}", "ms", ours["p50_ms"], peer["p50_ms"], higher_is_better=False,
                           most=most)

        frames = paths_file(self.folder, "frames", [f"{base}/instances/2.25.77.{seed}.0.3.{n}/frames/1" for n in range(1, 601)])
        octets = ("--accept", 'multipart/related; type="application/octet-stream"')
        ours, peer = get(self.ours, frames, 1000, *octets), get(self.tuned, frames, 1000, *octets)
        self.table.add("one native 512 KB frame, one connection, p50", "ms", ours["p50_ms"], peer["p50_ms"], higher_is_better=False, note="peer in clear text", most=2)
        ours, peer = (get(s, frames, 3000, "--connections", 4, *octets) for s in (self.ours, self.tuned))
        self.table.add("one native 512 KB frame, 4 connections", "1/s", ours["per_second"], peer["per_second"], note="peer in clear text", times_peer=1)

        whole = paths_file(self.folder, "whole", [f"/dicom-web/studies/{study}"])
        parts = ("--accept", 'multipart/related; type="application/dicom"')
        ours, peer = get(self.ours, whole, 8, *parts), get(self.tuned, whole, 8, *parts)
        tls = load("floor", "tls", "--count", 2000)["megabytes_per_second"]
        self.table.add("whole study, 600 CT, WADO-RS", "MB/s", ours["megabytes_per_second"], peer["megabytes_per_second"], tls,
                       note="peer in clear text; floor: bytes from memory over loopback TLS", times_peer=1, of_floor=0.5)

        many = self.fresh_seed()
        load("store", *self.ours.dimse(), "--count", 1, "--frames", 10000, "--pixel-bytes", 10000 * 2 * 64 * 64, "--seed", many)
        study, series = uids(many, 0)
        instance = f"/dicom-web/studies/{study}/series/{series}/instances/2.25.77.{many}.0.3.1/frames"
        first = get(self.ours, paths_file(self.folder, "first", [f"{instance}/1"]), 200, *octets)
        last = get(self.ours, paths_file(self.folder, "last", [f"{instance}/10000"]), 200, *octets)
        self.table.add("last frame of 10,000 against the first, p50", "ms", last["p50_ms"], floor=first["p50_ms"], higher_is_better=False, note="floor: the first frame", of_floor=0.8)

    def memory(self):
        seed = self.fresh_seed()
        for server in (self.ours, self.tuned):
            load("store", *server.dimse(), "--count", 1800, "--associations", 8, "--seed", seed)
        self.table.add("memory, idle after start", "MiB", self.idle, higher_is_better=False, most=100)
        self.table.add("memory after 1,800 more CTs", "MiB", memory_mib(self.ours.pid), memory_mib(self.tuned.pid), higher_is_better=False, most=256)

    def large(self):
        """Ten at once, one an association; what the archive held before is in the peak."""
        self.ours.archive.reset_peak_memory()
        load("store", *self.ours.dimse(), "--count", 10, "--associations", 10, "--per-series", 1, "--pixel-bytes", self.large_bytes, "--seed", self.fresh_seed())
        peak = self.ours.archive.memory_kib() / 1024
        size = f"{self.large_bytes / 1e9:g} GB" if self.large_bytes >= 1e9 else f"{self.large_bytes / 1e6:g} MB"
        self.table.add(f"peak memory, ten {size} objects arriving at once", "MiB", peak, higher_is_better=False, note="VmHWM", most=512)

    def search(self):
        seed = self.fresh_seed()
        small = ["--per-series", 1, "--pixel-bytes", 512, "--associations", 8, "--seed", seed]
        load("store", *self.ours.dimse(), "--count", self.studies, *small)
        load("store", *self.tuned.dimse(), "--count", self.orthanc_studies, *small)
        for label, query in (("name prefix", "PatientName=Okafor*"), ("name contains", "PatientName=*verso*"), ("patient ID", f"PatientID=P{seed}-0000420"),
                             ("date range", "StudyDate=20100101-20100228"), ("accession", f"AccessionNumber=ACC{seed}00000777")):
            file = paths_file(self.folder, "query", [f"/dicom-web/studies?{query}&limit=25"])
            accept = ("--accept", "application/dicom+json")
            ours = load("get", *self.ours.web(), "--paths", file, "--count", 200, *accept, token=self.ours.token)
            peer = load("get", *self.tuned.web(), "--paths", file, "--count", 20, *accept)
            self.table.add(f"QIDO-RS, 25 rows by {label}, p95", "ms", ours["p95_ms"], peer["p95_ms"], higher_is_better=False,
                           note=f"ours {self.studies} studies more, peer {self.orthanc_studies}", most=20, times_peer=10)

    def start(self):
        ours, peer = self.ours.restart(), self.tuned.restart()
        self.table.add("restart until ready", "s", ours, peer, higher_is_better=False, note=f"ours with {self.studies} studies more, peer {self.orthanc_studies}", most=1)

    def replay(self):
        """Killed amid stores, so that the log has what the index has not."""
        before = self.archived()
        small = ["--count", 10_000_000, "--per-series", 1, "--pixel-bytes", 512, "--associations", 8, "--seed", self.fresh_seed()]
        running = subprocess.Popen([str(LOAD), "store", *map(str, self.ours.dimse()), *map(str, small)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3)
        if running.poll() is not None:
            raise RuntimeError("the load ended before the archive was killed")
        seconds = self.ours.kill_and_restart()
        running.wait(60)
        self.table.add("replay after kill -9, until ready", "s", seconds, higher_is_better=False, note=f"killed amid stores, {self.archived() - before} of them taken since the last start", most=5)

    def archived(self):
        """Instances in the archive."""
        return self.ours.archive.session().get(self.ours.archive.https + "/admin/v1/statistics").json()["instances"]


def report(bench, arguments):
    full = "--full" in arguments
    command = "make bench-full" if full else "make bench"
    lines = ["# Benchmarks", "", f"Measured {datetime.date.today()} with `{command}` on {machine()}.",
             "Both archives run on that machine in the same run, one after the other for each row; load comes from `leadglass-bench`",
             "except where stock DCMTK is named. Leadglass always has mutual TLS, sealing and durable acknowledgement on; Orthanc",
             f"{bench.orthanc_version} (Debian) runs in clear text and without encryption.", "",
             "Ratios first: above 1 is better than the peer. `of floor` is the share of what the machine can do at all. Budgets were set before",
             "anything was measured; a missed one is said so, and so is one that had nothing to be compared with.", "",
             "With a million studies in the index: this page." if full else
             "With a million studies in the index (`make bench-full`): [BENCHMARKS-MILLION.md](BENCHMARKS-MILLION.md).",
             "The exposure audit alone (`make bench-exposure`): [BENCHMARKS-EXPOSURE.md](BENCHMARKS-EXPOSURE.md).", "",
             *bench.table.markdown()]
    if bench.exposure:
        lines += ["", "## The exposure audit", "", *bench.exposure.markdown()]
    rows = {"machine": machine(), "command": command, "rows": bench.table.rows}
    rows |= {"exposure": bench.exposure.json()} if bench.exposure else {}
    (ROOT / "docs" / ("BENCHMARKS-MILLION.md" if full else "BENCHMARKS.md")).write_text("\n".join(lines) + "\n")
    (ROOT / "bench" / ("results-million.json" if full else "results.json")).write_text(json.dumps(rows, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million studies in the index")
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--orthanc-studies", type=int, default=10_000, help="Orthanc stores far fewer a second")
    parser.add_argument("--folder", help="on the file system to be measured")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="leadglass-bench-", dir=options.folder)
    try:
        bench = Bench(folder, 1_000_000 if options.full else options.studies, options.orthanc_studies, 2_000_000_000 if options.full else 100_000_000)
        bench.orthanc_version = bench.plain.version()
        try:
            bench.run()
        finally:
            bench.stop()
        # The audit has nothing to do with how many studies there are.
        bench.exposure = None if options.full else exposure.measure(folder)
        report(bench, sys.argv[1:])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
