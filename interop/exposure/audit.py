"""Runs `leadglass exposure` for the judges and reads its report.

The estate under audit is always on loopback; scopes are written by the tests, valid for a day.
"""
import json
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from leadglass import BINARY

TOP = {"format": 1, "owner": "Judges", "authorised_by": "Judges", "reference": "JUDGE-1",
       "vantage": "server-vlan", "contacts": ["soc@judges.example"], "depth": 2}
PACE = {"spacing_ms": 0, "rate_per_second": 2000, "hosts_at_once": 50}
CLEAN, FINDINGS, USAGE, INCOMPLETE, INTERNAL = range(5)


def scope_text(assets, pace=None, tables="", **top):
    """A scope file. `assets` are dicts, `tables` is TOML to add at the end."""
    now = datetime.now(timezone.utc)
    lines = [f"{key} = {toml(value)}" for key, value in {**TOP, **top}.items()]
    lines += [f"valid_from = {stamp(now - timedelta(hours=12))}", f"valid_until = {stamp(now + timedelta(hours=12))}"]
    lines += ["", "[pace]"] + [f"{key} = {toml(value)}" for key, value in {**PACE, **(pace or {})}.items()]
    for asset in assets:
        lines += ["", "[[asset]]"]
        lines += [f"{key} = {toml(value)}" for key, value in {"class": "server", **asset}.items()]
    return "\n".join(lines) + "\n" + tables


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(str(value)) if isinstance(value, (str, Path)) else str(value)


class Audit:
    """One run over a scope, in a directory of its own."""

    def __init__(self, directory, scope, *arguments, expect=(CLEAN, FINDINGS), timeout=300):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.scope = self.directory / "scope.toml"
        self.scope.write_text(scope)
        self.out = self.directory / "out"
        command = [BINARY, "exposure", "run", "--scope", self.scope, "--out", self.out, *arguments]
        self.process = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout)
        assert self.process.returncode in expect, (self.process.returncode, self.process.stdout, self.process.stderr)
        path = self.out / "report.json"
        self.report = json.loads(path.read_text()) if path.exists() else None

    def written(self):
        """All bytes that the run wrote anywhere: what no name may be in."""
        files = [path for path in self.out.rglob("*") if path.is_file()]
        return b"".join(path.read_bytes() for path in files) + (self.process.stdout + self.process.stderr).encode()

    def system(self, label):
        return next(system for system in self.report["systems"] if system["label"] == label)

    def outcomes(self, label, port=None, check=None):
        """Outcomes of a system: one port's, one check's, or all."""
        return [outcome for service in self.system(label)["services"] if port in (None, service["port"])
                for outcome in service["outcomes"] if check in (None, outcome["check"])]

    def states(self, label, port=None):
        """check -> the set of states it ended in."""
        states = {}
        for outcome in self.outcomes(label, port):
            states.setdefault(outcome["check"], set()).add(outcome["state"])
        return states

    def findings(self, label, port=None):
        """The checks that found something."""
        return {check for check, states in self.states(label, port).items() if "finding" in states}
