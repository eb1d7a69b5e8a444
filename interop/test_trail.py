"""The trail before judges nobody here wrote: rsyslog as the audit repository, SeaweedFS as the keeper of checkpoints,
lxml with the schema of PS3.15, fhir.resources, and a proof checker of Python's own.

What an hour of a repository's absence would be is a stop and a start here: what waits, waits in the log.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import blake3
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from fhir.resources.R4B.auditevent import AuditEvent
from leadglass import BINARY, ROOT, Archive, free_port, wait_until
from lxml import etree
from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find
from test_crash import can_mount

SAMPLES = ROOT / "testdata" / "samples"
SCHEMA = etree.RelaxNG(etree.parse(str(Path(__file__).parent / "audit-message.rng")))
VERIFIER = BINARY.parent / "leadglass-verify"
RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
WEED = Path(sys.executable).parent / "weed"


# Certificates and servers of the test's own


class Authority:
    """An authority, a server's certificate for 127.0.0.1 and a client's, made at start."""

    def __init__(self, folder):
        self.folder = folder
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "judges")])
        self.ca = self._write("ca.pem", self._certificate(name, name, key.public_key(), key, ca=True))
        for who in ("server", "client"):
            own = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
            setattr(self, who, self._write(f"{who}.pem", self._certificate(subject, name, own.public_key(), key)))
            pem = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            (folder / f"{who}.key").write_bytes(pem)
            (folder / f"{who}.key").chmod(0o600)
            setattr(self, f"{who}_key", folder / f"{who}.key")

    def _certificate(self, subject, issuer, public, signer, ca=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        if not ca:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _write(self, name, pem):
        (self.folder / name).write_bytes(pem)
        return self.folder / name

    def toml(self, mutual=True):
        own = f', certificate = "{self.client}", key = "{self.client_key}"' if mutual else ""
        return f'{{ ca = "{self.ca}"{own} }}'


class Repository:
    """rsyslog, mutual TLS, a line a message."""

    def __init__(self, folder, authority):
        self.folder, self.port, self.process = folder, free_port(), None
        self.messages = folder / "messages"
        (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}" maxMessageSize="256k"
       defaultNetstreamDriverCAFile="{authority.ca}"
       defaultNetstreamDriverCertFile="{authority.server}"
       defaultNetstreamDriverKeyFile="{authority.server_key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{self.port}")
template(name="whole" type="string" string="%pri% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="{self.messages}" template="whole")
""")

    def start(self):
        self.process = subprocess.Popen([RSYSLOGD, "-n", "-f", self.folder / "rsyslog.conf", "-i", self.folder / "pid"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(self.listens, 60), "rsyslog does not listen"
        return self

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def lines(self):
        return self.messages.read_text(encoding="utf-8").splitlines() if self.messages.exists() else []

    def documents(self):
        """(sequenceId, parsed message) of each audit message."""
        found = []
        for line in self.lines():
            head, _, text = line.partition("<?xml")
            if text:
                number = int(head.split('sequenceId="')[1].split('"')[0])
                found.append((number, etree.fromstring(("<?xml" + text).encode())))
        return found


def code(document):
    kind = document.find("EventIdentification/EventTypeCode")
    event = document.find("EventIdentification/EventID").get("csd-code")
    return kind.get("csd-code") if event == "110113" else event


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "tls").mkdir()
    return Authority(tmp_path / "tls")


def entries(archive, **keys):
    answer = archive.session().get(f"{archive.https}/admin/v1/trail", params={"limit": 1000, **keys})
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


def day(archive, patients=2):
    """What happens on a day: stores, searches, looks, a refusal, a stranger."""
    archive.dcmtk("storescu", "-R", "+sd", "+r", "--no-halt", "{peer}", SAMPLES)
    association = archive.associate([__import__("pynetdicom").build_context(Find)])
    for number in range(patients):
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.PatientName, identifier.PatientID = "STUDY", "*", ""
        identifier.StudyDate = f"20{number:02}0101-"
        for _ in association.send_c_find(identifier, Find):
            pass
    association.release()
    session = archive.session()
    studies = session.get(f"{archive.dicomweb}/studies").json()
    study = studies[0]["0020000D"]["Value"][0]
    session.get(f"{archive.dicomweb}/studies/{study}", headers={"Accept": 'multipart/related; type="application/dicom"'})
    requests.get(f"{archive.dicomweb}/studies", verify=archive.ca, headers={"Authorization": "Bearer nonsense"})
    return studies


# Delivery to an audit repository


# How long the repository is away: docs/PROMISES.md has it for an hour.
AWAY_S = int(os.environ.get("LEADGLASS_AWAY_S", 0))


def somebody_asks_until(archive, end):
    """A search every ten seconds; how many."""
    asked, session = 0, archive.session()
    while time.monotonic() < end:
        assert session.get(f"{archive.dicomweb}/studies?PatientID=away-{asked}").status_code in (200, 204)
        asked += 1
        time.sleep(10)
    return asked


def test_a_repository_that_was_away_gets_everything_once_and_in_order(fresh, tmp_path, authority):
    (tmp_path / "arr").mkdir()
    repository = Repository(tmp_path / "arr", authority).start()
    config = tmp_path / "leadglass.toml"
    config.write_text(f"""
[trail]
source = "JUDGED"
[[trail.deliveries]]
kind = "syslog"
arrival = "connection-closed"
name = "arr"
to = "127.0.0.1:{repository.port}"
tls = {authority.toml()}
""")
    try:
        archive = fresh("--config", config)
        day(archive)
        assert wait_until(lambda: any(code(d) == "110112" for _, d in repository.documents())), archive.log_tail()
        repository.stop()
        before = len(repository.documents())
        day(archive, patients=30)
        failing = 'leadglass_trail_destination_failing{destination="arr"} 1'
        assert wait_until(lambda: failing in archive.session().get(f"{archive.https}/metrics").text, 60)
        assert any(e.get("event") == "audit-recording-stopped" for e in entries(archive))
        assert len(repository.documents()) == before
        asked = 34 + somebody_asks_until(archive, time.monotonic() + AWAY_S)
        repository.start()
        assert wait_until(lambda: any(code(d) == "110134" for _, d in repository.documents()), 600), archive.log_tail()
        # Whatever the trail has by now that PS3.15 has a message for.
        told = [e for e in entries(archive) if "event_code" in e and e["outcome"] != "begun"]
        searches = [e for e in told if e.get("operation") == "search"]
        assert len(searches) >= asked
        documents = repository.documents()
        assert wait_until(lambda: sum(code(d) == "110112" for _, d in repository.documents()) >= len(searches), 30)
        documents = repository.documents()
    finally:
        repository.stop()
    numbers = [number for number, _ in documents]
    assert numbers == list(range(1, len(numbers) + 1)), "none is lost, none comes twice, all are in order"
    assert sum(code(d) == "110112" for _, d in documents) == len(searches)
    for line in repository.lines():
        assert line.startswith("85 DICOM+RFC3881 ["), line[:80]
    for _, document in documents:
        SCHEMA.assertValid(document)
        assert sum(p.get("UserIsRequestor") == "true" for p in document.iter("ActiveParticipant")) <= 1
        patients = [o for o in document.iter("ParticipantObjectIdentification") if o.get("ParticipantObjectTypeCodeRole") == "1"]
        assert len(patients) <= 1
        assert document.find("AuditSourceIdentification").get("AuditSourceID") == "JUDGED"
    query = next(d for _, d in documents if code(d) == "110112" and d.find(".//ParticipantObjectQuery").text)
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import read_dataset
    asked = base64.b64decode(query.find(".//ParticipantObjectQuery").text)
    assert read_dataset(DicomBytesIO(asked), False, True).QueryRetrieveLevel == "STUDY"
    syntax = query.find(".//ParticipantObjectDetail[@type='TransferSyntax']").get("value")
    assert base64.b64decode(syntax) == b"1.2.840.10008.1.2.1"
    codes = {code(d) for _, d in documents}
    assert {"110100", "110101", "110102", "110104", "110112", "110114", "110133", "110134"} <= codes, codes


def test_events_for_fhir_parse_as_auditevents(fresh, tmp_path):
    folder = tmp_path / "fhir"
    folder.mkdir()
    config = tmp_path / "leadglass.toml"
    config.write_text(f'[[trail.deliveries]]\nkind = "fhir-file"\nname = "fhir"\nfolder = "{folder}"\n')
    archive = fresh("--config", config)
    day(archive)

    def events():
        return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]

    assert wait_until(lambda: any("PatientCreate" in str(e.get("meta")) for e in events())), archive.log_tail()
    out = tmp_path / "export.ndjson"
    archive.cli("trail", "export", "--format", "fhir", "--out", out, "--ready-file", archive.ready_file)
    exported = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(exported) > 10
    for event in events() + exported:
        parsed = AuditEvent.model_validate(event)
        assert sum(bool(agent.requestor) for agent in parsed.agent) <= 1
        profile = str(event.get("meta", ""))
        if "Patient" in profile:
            assert any(e["type"]["code"] == "1" and e["role"]["code"] == "1" for e in event["entity"])
        if "Query" in profile:
            assert any(e["role"]["code"] == "24" and base64.b64decode(e["query"]) for e in event["entity"])
    lines = tmp_path / "export.xml"
    archive.cli("trail", "export", "--format", "dicom-xml", "--out", lines, "--ready-file", archive.ready_file)
    for line in lines.read_bytes().splitlines():
        SCHEMA.assertValid(etree.fromstring(line))


def test_alerts_reach_a_webhook_that_can_check_them(fresh, tmp_path, authority):
    got, secret = [], b"0123456789abcdef0123"

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers["Leadglass-Signature"], self.rfile.read(int(self.headers["Content-Length"])), self.path))
            if len(got) == 1:  # A redirect is not followed, and the alert comes again.
                self.send_response(302)
                self.send_header("Location", "https://127.0.0.1:9/")
            else:
                self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server, authority.server_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "secret").write_bytes(secret)
    (tmp_path / "secret").chmod(0o600)
    config = tmp_path / "leadglass.toml"
    config.write_text(f"""
[[trail.deliveries]]
kind = "webhook"
name = "pager"
url = "https://localhost:{server.server_address[1]}/hook?of=judges"
tls = {authority.toml(mutual=False)}
secret_file = "{tmp_path / 'secret'}"
what = "alerts"
""")
    archive = fresh("--config", config)
    archive.add_peer("CT7", ["store"])
    try:
        assert wait_until(lambda: any(b"add-peer" in body and b"CT7" in body for _, body, _ in got[1:])), archive.log_tail()
    finally:
        server.shutdown()
    for signature, body, path in got:
        stamp, tag = (field.split("=", 1)[1] for field in signature.split(","))
        assert hmac.compare_digest(tag, hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest())
        assert path == "/hook?of=judges"
        for entry in json.loads(body)["entries"]:
            assert 110126 <= int(entry["event_code"]) <= 110142


# No trail, no access


def test_when_the_trail_has_no_room_access_stops_and_says_why(tmp_path):
    disk = can_mount(tmp_path)
    if disk is None:
        pytest.skip("needs root and a loop device")
    config = tmp_path / "leadglass.toml"
    config.write_text("[data]\nsegment_bytes = 1048576\nreserve_bytes = 1048576\n")
    archive = Archive(disk.mount / "data", "--key-file", str(tmp_path / "master.key"), "--config", config)
    try:
        archive.start()
        archive.dcmtk("storescu", "-R", "+sd", "+r", "--no-halt", "{peer}", SAMPLES)
        session = archive.session()

        def look():
            return session.get(f"{archive.dicomweb}/studies", headers={"Accept": "application/dicom+json"})

        assert look().status_code == 200 and len(look().json()) > 0
        filler = disk.mount / "filler"
        # All of it: also what the file system keeps back for root, as whom this may run.
        free = os.statvfs(disk.mount).f_bavail * os.statvfs(disk.mount).f_frsize
        subprocess.run(["fallocate", "-l", str(free - (8 << 20)), filler], check=True)
        with open(filler, "ab", buffering=0) as rest, contextlib.suppress(OSError):
            while rest.write(bytes(4096)):
                pass
        # The room that is allocated ahead is used up entry by entry; then nothing is handed out any more. The last
        # bytes may hold one entry where two did not fit.
        answers = []
        while len(answers) < 5000 and (len(answers) < 5 or any(answer.status_code == 200 for answer in answers[-5:])):
            answers.append(look())
        refused = answers[-1]
        assert refused.status_code in (503, 507), (len(answers), refused.status_code)
        assert "full" in refused.text and "0020000D" not in refused.text
        assert look().status_code == refused.status_code
        filler.unlink()
        assert wait_until(lambda: look().status_code == 200), "and goes on without a restart"
        archive.stop()
        report = archive.cli("verify", "--data", disk.mount / "data", "--key-file", tmp_path / "master.key", check=False)
        assert report.returncode == 0, report.stdout + report.stderr
    finally:
        archive.kill()
        subprocess.run(["umount", "-l", disk.mount], capture_output=True)


# Proofs


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def root_from(leaf, index, size, path):
    """RFC 9162 2.1.3.2, once more."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn % 2 == 1 or fn == sn:
            r = sha256(b"\1", p, r)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def test_a_bundle_is_proven_by_code_of_other_hands_and_the_small_binary(fresh, tmp_path):
    archive = fresh()
    day(archive)
    bundle, later = tmp_path / "bundle", tmp_path / "later"
    archive.cli("trail", "export", "--bundle", bundle, "--ready-file", archive.ready_file)
    lines = [json.loads(line) for line in bundle.read_text().splitlines()]
    origin, _, key = lines[0]["verifier"].split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1
    note = lines[1]["checkpoint"]
    body, _, signatures = note.partition("\n\n")
    name, size, root = body.splitlines()[:3]
    assert name == origin
    signature = base64.b64decode(signatures.split()[-1])
    ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], (body + "\n").encode())
    assert len(lines) > 20
    for line in lines[2:]:
        for record in line["records"]:
            header = base64.b64decode(record["header"])
            leaf = sha256(b"\0", header[:-32])
            assert leaf == header[-32:] and int.from_bytes(header[12:20], "big") == record["sequence"]
            proof = [base64.b64decode(p) for p in record["proof"]]
            assert root_from(leaf, record["sequence"] - 1, int(size), proof) == base64.b64decode(root)
            for number, part in enumerate(record["parts"]):
                sealed = base64.b64decode(part)
                assert blake3.blake3(sealed).digest() == header[92 + 56 * number + 24:92 + 56 * (number + 1)]
    (tmp_path / "checkpoint").write_text(note)
    day(archive)
    archive.cli("trail", "export", "--bundle", later, "--since", tmp_path / "checkpoint", "--ready-file", archive.ready_file)

    def verify(*arguments):
        return subprocess.run([VERIFIER, *arguments], capture_output=True, text=True)

    good = verify(later, "--since", tmp_path / "checkpoint", "--key", lines[0]["verifier"])
    assert good.returncode == 0 and "1 older checkpoints agree" in good.stdout, good.stdout + good.stderr
    (tmp_path / "now").write_text(json.loads(later.read_text().splitlines()[1])["checkpoint"])
    rolled_back = verify(bundle, "--since", tmp_path / "now")
    assert rolled_back.returncode == 3 and "cut short or put back" in rolled_back.stdout
    text = later.read_text()
    assert '"outcome":"done"' in text
    (tmp_path / "forged").write_text(text.replace('"outcome":"done"', '"outcome":"failed"', 1))
    assert verify(tmp_path / "forged").returncode == 3
    assert archive.cli("trail", "verify", tmp_path / "forged", check=False).returncode == 3
    assert len(list(VERIFIER.parent.glob("leadglass-verify"))) == 1


# Checkpoints off the machine


def test_checkpoints_are_locked_away_in_s3_and_in_another_folder(fresh, tmp_path, authority):
    vault, data = tmp_path / "vault", tmp_path / "weed"
    vault.mkdir(), data.mkdir()
    ports = {}
    while len(ports) < 4:
        port = free_port()
        if port < 50_000:
            ports.setdefault(len(ports), port)
    s3_port, master, volume, filer = (ports[n] for n in range(4))
    (tmp_path / "s3.json").write_text(json.dumps({"identities": [
        {"name": "leadglass", "credentials": [{"accessKey": "judge", "secretKey": "judge-secret"}], "actions": ["Admin"]}]}))
    weed = subprocess.Popen(
        [WEED, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={s3_port}",
         f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-master.volumeSizeLimitMB=64",
         "-volume.max=4", f"-s3.config={tmp_path / 's3.json'}", f"-s3.cert.file={authority.server}",
         f"-s3.key.file={authority.server_key}", f"-master.port.grpc={free_port()}", f"-volume.port.grpc={free_port()}",
         f"-filer.port.grpc={free_port()}", f"-s3.port.grpc={free_port()}"],
        stdout=open(tmp_path / "weed.log", "wb"), stderr=subprocess.STDOUT, cwd=tmp_path)
    endpoint = f"https://localhost:{s3_port}"

    def call(method, path, headers=None, query=""):
        return signed(method, endpoint, path, query, headers or {}, str(authority.ca))

    try:
        assert wait_until(lambda: reaches(lambda: call("GET", "/").status_code == 200), 180), (tmp_path / "weed.log").read_text()[-2000:]
        made = call("PUT", "/witness", {"x-amz-bucket-object-lock-enabled": "true"})
        assert made.status_code == 200, made.text
        (tmp_path / "secret").write_text("judge-secret\n")
        (tmp_path / "secret").chmod(0o600)
        config = tmp_path / "leadglass.toml"
        config.write_text(f"""
[[trail.checkpoints]]
kind = "s3"
name = "vault"
endpoint = "{endpoint}"
bucket = "witness"
prefix = "pacs 1/"
tls = {authority.toml(mutual=False)}
access_key_id = "judge"
secret_key_file = "{tmp_path / 'secret'}"
retention_days = 30
[[trail.checkpoints]]
kind = "file"
name = "folder"
folder = "{vault}"
""")
        archive = fresh("--config", config)
        bundle = tmp_path / "bundle"
        archive.cli("trail", "export", "--bundle", bundle, "--ready-file", archive.ready_file)
        assert wait_until(lambda: list(vault.glob("checkpoint-*")), 30), archive.log_tail()
        kept = sorted(vault.glob("checkpoint-*"))[-1]
        key = f"/witness/pacs%201/{kept.name}"
        assert wait_until(lambda: call("GET", key).status_code == 200, 60), archive.log_tail()
        assert call("GET", key).text == kept.read_text()
        retention = call("GET", key, query="retention=")
        assert "COMPLIANCE" in retention.text, retention.text
        version = call("HEAD", key).headers["x-amz-version-id"]
        removed = call("DELETE", key, query=f"versionId={version}")
        assert removed.status_code in (403, 400), (removed.status_code, removed.text)
        assert call("GET", key, query=f"versionId={version}").text == kept.read_text()
        archive.cli("trail", "export", "--bundle", bundle, "--since", kept, "--ready-file", archive.ready_file)
        done = archive.cli("trail", "verify", bundle, "--since", kept)
        assert "are in the log" in done.stdout
    finally:
        weed.kill()
        weed.wait(20)


def mail_server(authority):
    """Its port, the mails it takes and what it is told."""
    mails, talk = [], []
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server, authority.server_key)

    def serve():
        while True:
            raw, _ = listener.accept()
            try:
                with context.wrap_socket(raw, server_side=True) as connection, connection.makefile("rwb") as lines:
                    def say(text):
                        lines.write(text.encode() + b"\r\n")
                        lines.flush()
                    say("220 mail")
                    for line in lines:
                        command = line.decode().strip()
                        talk.append(command)
                        if command.startswith("EHLO"):
                            say("250-mail")
                            say("250-STARTTLS")
                            say("250 AUTH PLAIN")
                        elif command.startswith("AUTH"):
                            say("235 in")
                        elif command == "DATA":
                            say("354 go on")
                            body = []
                            while (part := lines.readline().decode()) != ".\r\n":
                                body.append(part.removeprefix(".") if part.startswith("..") else part)
                            mails.append("".join(body))
                            say("250 taken")
                        elif command == "QUIT":
                            say("221 bye")
                            break
                        else:
                            say("250 ok")
            except (OSError, ssl.SSLError):
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], mails, talk


def test_a_checkpoint_is_mailed_over_tls_and_never_in_clear(fresh, tmp_path, authority):
    port, mails, talk = mail_server(authority)
    (tmp_path / "password").write_text("secret of a mailbox")
    (tmp_path / "password").chmod(0o600)
    config = tmp_path / "leadglass.toml"
    config.write_text(f"""
[[trail.checkpoints]]
kind = "e-mail"
name = "officer"
server = "127.0.0.1:{port}"
tls = {authority.toml(mutual=False)}
from = "pacs@example.org"
to = "officer@example.org"
user = "pacs"
password_file = "{tmp_path / 'password'}"
""")
    archive = fresh("--config", config)
    assert wait_until(lambda: mails, 60), archive.log_tail()
    head, _, note = mails[0].partition("\r\n\r\n")
    assert "Subject: Leadglass checkpoint " in head and "To: <officer@example.org>" in head
    (tmp_path / "checkpoint").write_bytes(note.replace("\r\n", "\n").encode())
    bundle = tmp_path / "bundle"
    archive.cli("trail", "export", "--bundle", bundle, "--since", tmp_path / "checkpoint", "--ready-file", archive.ready_file)
    done = archive.cli("trail", "verify", bundle, "--since", tmp_path / "checkpoint")
    assert "are in the log" in done.stdout
    assert "STARTTLS" not in talk
    assert base64.b64decode(next(line for line in talk if line.startswith("AUTH")).split()[2]) == b"\0pacs\0secret of a mailbox"


def test_an_alert_is_mailed_at_once_and_names_nobody(fresh, tmp_path, authority):
    port, mails, _ = mail_server(authority)
    config = tmp_path / "leadglass.toml"
    config.write_text(f"""
[[trail.deliveries]]
kind = "e-mail"
name = "privacy"
server = "127.0.0.1:{port}"
tls = {authority.toml(mutual=False)}
from = "pacs@example.org"
to = "privacy@example.org"
""")
    archive = fresh("--config", config)
    assert wait_until(lambda: mails, 60), archive.log_tail()
    head, _, text = mails[0].partition("\r\n\r\n")
    assert "security alerts (" in head and "To: <privacy@example.org>" in head
    numbers = [int(line.split("entry ")[1].split(":")[0]) for line in text.splitlines() if "entry " in line]
    rows = json.loads(archive.cli("trail", "search", "--limit", 1000, "--json", "--ready-file", archive.ready_file).stdout)
    rows = {row["entry"]: row for row in rows["entries"]}
    assert numbers and all(rows[number]["event_code"] >= "110126" for number in numbers), (numbers, text)
    # The one who sets up is called `setup`, as what they do is.
    callers = {row["caller"] for row in rows.values() if row.get("caller")} - {"setup"}
    assert callers and not any(caller in text for caller in callers), (callers, text)
    doctor = archive.cli("doctor", "--config", config, "--data", archive.data_dir, check=False).stdout
    assert "handed on to privacy" in doctor and "none leaves this machine" in doctor, doctor


def reaches(ask):
    try:
        return ask()
    except requests.RequestException:
        return False


def signed(method, endpoint, path, query, headers, ca):
    """AWS Signature Version 4 of the judges' own."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, date = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {**headers, "host": endpoint.split("//")[1], "x-amz-date": stamp, "x-amz-content-sha256": empty}
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, query, *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names, empty])
    scope = f"{date}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4judge-secret"
    for step in (date, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=judge/{scope}, SignedHeaders={names}, Signature={signature}"
    url = f"{endpoint}{path}" + (f"?{query}" if query else "")
    return requests.request(method, url, headers=headers, verify=ca, timeout=20)
