"""Looks at a configured, running archive with the tools that a security officer would take: nmap (dicom-ping, dicom-brute,
ssl-enum-ciphers, http-methods), testssl.sh, `openssl s_client` and sqlmap.

Starts the archive itself, set up, with peers enrolled and studies stored; everything stays on 127.0.0.1. What each tool wrote is
kept in interop/assessment/, a summary in its README.md. Ends with 1 when a tool found something above informational that is not
explained in EXPLAINED, and with 2 when a tool could not be run.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from leadglass import BINARY, ROOT, Archive  # noqa: E402

KEPT = ROOT / "interop" / "assessment"
TOOLS = ("nmap", "openssl", "testssl", "sqlmap")

# Findings of testssl.sh that are meant: its id -> why. They are listed in the summary, never left out.
EXPLAINED = {
    "cert_revocation": "revocation is the archive's own registry, asked at each handshake, not a list that others publish",
    "cert_crlDistributionPoints": "the same",
    "cert_ocspURL": "the same",
    "DNS_CAArecord": "the address is 127.0.0.1: no name, no DNS record",
    "cert_trust": "the authority is the archive's own; it was given to testssl.sh with --add-ca",
}
INFORMATIONAL = {"OK", "INFO", "DEBUG"}

# What TLS must not do, as options of s_client: a handshake that succeeds is a finding.
REFUSED = {
    "TLS 1.0": ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
    "TLS 1.1": ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
    "static RSA": ["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"],
    "finite-field DHE": ["-tls1_2", "-cipher", "kDHE:@SECLEVEL=0"],
    "CBC": ["-tls1_2", "-cipher", "ECDHE+SHA1:ECDHE+SHA256:ECDHE+SHA384:!AESGCM:!CHACHA20:@SECLEVEL=0"],
    "CCM": ["-tls1_2", "-cipher", "AESCCM:AESCCM8:@SECLEVEL=0"],
    "anonymous": ["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
    "no encryption": ["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"],
    "an unrecommended curve": ["-tls1_2", "-curves", "secp256k1"],
}
TAKEN = {"TLS 1.2": ["-tls1_2"], "TLS 1.3": ["-tls1_3"]}


class Assessment:
    """One archive, and what the tools said of it."""

    def __init__(self, archive, folder):
        self.archive, self.folder = archive, Path(folder)
        self.web = archive.https.removeprefix("https://").rstrip("/")
        self.rows, self.findings, self.broken = [], [], []

    def row(self, tool, asked, answer, bad=()):
        self.rows.append((tool, asked, answer))
        self.findings += [(tool, finding) for finding in bad]

    def run(self, name, *command, timeout=1800, stdin=""):
        """Runs a tool and keeps what it wrote; nothing when it could not be run."""
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace",
                                  timeout=timeout, input=stdin)
        except (OSError, subprocess.TimeoutExpired) as e:
            self.broken.append(f"{command[0]}: {type(e).__name__}")
            return None
        self.keep(name, f"$ {' '.join(str(part) for part in command)}\n{done.stdout}{done.stderr}")
        return done

    def keep(self, name, text):
        """Without the name of this machine, its folders, and any secret."""
        text = text.replace(self.archive.token, "TOKEN")
        for private, public in ((str(self.folder), "FOLDER"), (str(ROOT), "."), (platform.node(), "host")):
            text = text.replace(private, public) if private else text
        text = re.sub(r"/tmp/[\w./-]+", "FOLDER", text)
        text = re.sub(r"[ \t]+$", "", re.sub(r"\x1b(\[\??[0-9;]*[A-Za-z]|\(B|[=>])", "", text), flags=re.M)
        with open(KEPT / name, "a", encoding="utf-8") as kept:
            kept.write(text.rstrip() + "\n\n")

    # nmap

    def nmap(self):
        ports = {"dicom": str(self.archive.port), "https": self.web.rsplit(":", 1)[1]}
        report = self.folder / "nmap.xml"
        scripts = "+dicom-ping,+dicom-brute,+ssl-enum-ciphers,+ssl-cert,+http-methods"
        done = self.run("nmap.txt", "nmap", "-n", "-Pn", "-sT", "-sV", "-p", ",".join(ports.values()), "--script", scripts,
                        "-oX", report, "127.0.0.1")
        if done is None or done.returncode:
            return
        for port in ElementTree.parse(report).iter("port"):
            door = next(name for name, number in ports.items() if number == port.get("portid"))
            said = {script.get("id"): script.get("output") for script in port.iter("script")}
            ping, brute = said.get("dicom-ping", ""), said.get("dicom-brute", "")
            bad = [f"{door}: dicom-ping found a service in clear"] if "discovered" in ping else []
            bad += [f"{door}: dicom-brute found an AE title"] if "Valid credentials" in brute else []
            strength = re.search(r"least strength: (\w)", said.get("ssl-enum-ciphers", ""))
            grade = strength.group(1) if strength else "not told"
            bad += [f"{door}: ssl-enum-ciphers gives {grade}"] if grade not in ("A", "not told") else []
            bad += [f"{door}: risky methods"] if "risky" in said.get("http-methods", "").lower() else []
            self.row("nmap", f"{door} door: dicom-ping, dicom-brute, ssl-enum-ciphers, http-methods",
                     f"no DICOM in clear, no AE title, least strength {grade}" if not bad else "see below", bad)

    # openssl s_client

    def openssl(self):
        for door, address in (("dicom", f"{self.archive.host}:{self.archive.port}"), ("https", self.web)):
            own = ["-cert", self.archive.peer["cert"], "-key", self.archive.peer["key"]] if door == "dicom" else []
            answers = {what: self.handshake(address, own, options) for what, options in REFUSED.items()}
            bad = [f"{door}: {what} was taken" for what, answer in answers.items() if answer == "taken"]
            self.broken += [f"openssl: {what} at the {door} door" for what, answer in answers.items() if answer == "not asked"]
            taken = {what: self.handshake(address, own, options) for what, options in TAKEN.items()}
            bad += [f"{door}: {what} was {answer}" for what, answer in taken.items() if answer != "taken"]
            refused = sum(answer == "refused" for answer in answers.values())
            self.row("openssl", f"{door} door: {', '.join(answers)}; then {' and '.join(taken)}",
                     f"{refused} of {len(answers)} refused, {len(taken) - len(bad)} of {len(taken)} taken", bad)
        answer = self.handshake(f"{self.archive.host}:{self.archive.port}", [], ["-tls1_2"])
        self.row("openssl", "dicom door: TLS 1.2 without a certificate", answer,
                 [] if answer == "refused" else [f"dicom: a handshake without a certificate was {answer}"])

    def handshake(self, address, own, options):
        """Finished, refused by the archive (with an alert), or never asked for by this OpenSSL."""
        done = self.run("openssl.txt", "openssl", "s_client", "-connect", address, "-CAfile", self.archive.ca, "-brief",
                        *own, *options, timeout=30)
        said = done.stdout + done.stderr if done is not None else ""
        if done is not None and done.returncode == 0 and "CONNECTION ESTABLISHED" in said:
            return "taken"
        return "refused" if "SSL alert number" in said else "not asked"

    # testssl.sh

    def testssl(self):
        program = shutil.which("testssl") or shutil.which("testssl.sh") or "testssl"
        for door, target in (("https", f"https://{self.web}/healthz/live"), ("dicom", f"{self.archive.host}:{self.archive.port}")):
            report = self.folder / f"testssl-{door}.json"
            done = self.run(f"testssl-{door}.txt", program, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none",
                            "--add-ca", self.archive.ca, "--connect-timeout", "5", "--openssl-timeout", "10",
                            "--jsonfile", report, target)
            if done is None or not report.exists():
                self.broken.append(f"testssl.sh: no report of the {door} door")
                continue
            said = json.loads(report.read_text())
            above = [f for f in said if f["severity"] not in (*INFORMATIONAL, "WARN")]
            untested = sorted(f["id"] for f in said if f["severity"] == "WARN")
            bad = [f"{door}: {f['severity']} {f['id']}: {f['finding']}" for f in above if self.reason(f) is None]
            meant = sorted({f["id"] for f in above if self.reason(f) is not None})
            self.row("testssl.sh", f"{door} door: {len(said)} checks",
                     f"{len(bad)} above informational" + (f"; meant: {', '.join(meant)}" if meant else "")
                     + (f"; it could not test: {', '.join(untested)}" if untested else ""), bad)

    @staticmethod
    def reason(finding):
        return next((why for name, why in EXPLAINED.items() if finding["id"].startswith(name)), None)

    # sqlmap

    def sqlmap(self):
        base = self.archive.dicomweb.removeprefix(self.archive.https.rstrip("/"))
        instance = self.archive.session().get(f"{self.archive.dicomweb}/instances?limit=1", timeout=60).json()[0]
        study, series = instance["0020000D"]["Value"][0], instance["0020000E"]["Value"][0]
        requests = {
            "a search that finds": f"GET {base}/studies?StudyInstanceUID={study}&limit=3&offset=0&includefield=StudyDescription",
            "a search by what may be empty": f"GET {base}/studies?PatientName=A&PatientID=1&StudyDate=20200101&AccessionNumber=1"
                                             "&ModalitiesInStudy=CT&fuzzymatching=false",
            "a path": f"GET {base}/studies/{study}*/series/{series}*/instances",
            "the trail": f"GET /admin/v1/trail?caller=a&patient_id=1&study={study}&limit=3&after=1",
        }
        for what, line in requests.items():
            request = self.folder / "request.txt"
            request.touch(mode=0o600)
            request.write_text(f"{line} HTTP/1.1\r\nHost: {self.web}\r\nAuthorization: Bearer {self.archive.token}\r\n"
                               "Accept: application/json\r\n\r\n")
            done = self.run("sqlmap.txt", "sqlmap", "-r", request, "--force-ssl", "--batch", "--ignore-stdin", "--flush-session", "--disable-coloring",
                            "--level", "2", "--risk", "2", "--dbms", "sqlite", "--skip", "user-agent,referer,host,cookie",
                            "--ignore-code", "*", "--output-dir", self.folder / "sqlmap", timeout=3600)
            if done is None:
                continue
            text = done.stdout + done.stderr
            tried = len(re.findall(r"(?:parameter|header) '.*?' does not seem to be injectable", text))
            bad = [f"{what}: sqlmap says injectable"] if re.search(r"is vulnerable|injection point\(s\)", text) else []
            if not bad and not tried:
                self.broken.append(f"sqlmap: nothing was tested of {what}")
            self.row("sqlmap", what, f"{tried} parameters not injectable", bad)


def version(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except OSError:
        return "not installed"
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in (done.stdout + done.stderr).splitlines()]
    line = next((line for line in lines if re.search(r"\d+\.\d+", line) and "WARNING" not in line), "unknown")
    return re.sub(r"\s+from .*|\s*\( ?https?://[^)]*\)", "", line).strip()


def summary(assessment, ran):
    """What a reader needs: who looked with what, at what, and what was found."""
    versions = {"nmap": ("nmap", "--version"), "openssl": ("openssl", "version"), "testssl": ("testssl", "--version"),
                "sqlmap": ("sqlmap", "--version"), "leadglass": (str(BINARY), "--version")}
    lines = ["# Assessment by third parties' tools", "",
             "Made by `make assess` (`interop/assess.py`): a configured archive with studies on 127.0.0.1, looked at by each tool. "
             "What they wrote is beside this page.", "",
             f"Run: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC. "
             + "; ".join(version(*versions[name]) for name in ("leadglass", *ran)) + ".", "",
             "| tool | asked | answer |", "|---|---|---|"]
    lines += [f"| {tool} | {asked} | {answer} |" for tool, asked, answer in assessment.rows]
    lines += [f"| {tool} | | **not run** |" for tool in TOOLS if tool not in ran]
    lines += ["", "## Findings above informational", ""]
    lines += [f"- {tool}: {finding}" for tool, finding in assessment.findings] or ["None that is not explained here."]
    lines += [f"- could not be run: {what}" for what in assessment.broken]
    lines += ["", "Meant, and why:", ""] + [f"- `{name}`: {why}" for name, why in EXPLAINED.items()]
    (KEPT / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tools", nargs="*", default=[], help=f"which of {', '.join(TOOLS)}; all by default")
    ran = arguments.parse_args().tools or list(TOOLS)
    if unknown := set(ran) - set(TOOLS):
        arguments.error(f"no such tool: {', '.join(sorted(unknown))}")
    os.umask(0o077)
    KEPT.mkdir(mode=0o755, exist_ok=True)
    for old in KEPT.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="leadglass-assess-") as folder:
        archive = Archive(Path(folder) / "data", samples=True).start()
        try:
            assessment = Assessment(archive, folder)
            for tool in ran:
                print(f"assess: {tool}", flush=True)
                getattr(assessment, tool)()
            if not archive.is_running():
                assessment.findings.append(("all", "the archive did not survive"))
        finally:
            archive.stop()
    summary(assessment, ran)
    for kept in KEPT.iterdir():
        kept.chmod(0o644)
    print((KEPT / "README.md").read_text())
    return 1 if assessment.findings else 2 if assessment.broken else 0


if __name__ == "__main__":
    sys.exit(main())
