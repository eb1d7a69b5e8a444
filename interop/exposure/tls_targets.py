"""TLS servers of many shapes on loopback, and what the audit must say of each.

OpenSSL's s_server for what OpenSSL still speaks, storescp for DICOM, and `ByHand` for the rest.
"""
import hashlib
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dh, ec, rsa
from cryptography.x509.oid import NameOID

NAME = "pacs.judges.example"
PLANTED = "PLANTED^JANE"
START_TIMEOUT_S = 20
SSL_3_0, TLS_1_0, TLS_1_1, TLS_1_2 = range(0x0300, 0x0304)
MODERN = "ECDHE+AESGCM:ECDHE+CHACHA20"
OPENSSL_WITHOUT_POLICY = "openssl_conf = empty\n[empty]\n"

# RFC 2409 6.2: a prime of 1024 bits.
OAKLEY_2 = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
               "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
               "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF", 16)

# What is said of a server that does everything right: check, part -> state, and severity of a finding.
RIGHT = {
    "T-01": "pass",
    **{f"T-02/{version:#06x}": "pass" for version in (SSL_3_0, TLS_1_0, TLS_1_1)},
    **{f"T-03/{part}": "pass" for part in ("null", "anonymous", "export", "rc4", "triple-des", "static-key", "cbc")},
    "T-04/dhe": "not-applicable", "T-04/curve": "pass",
    **{f"T-05/{part}": "pass" for part in ("compression", "renegotiation", "extended-master-secret")},
    **{f"T-06/{part}": "pass" for part in ("expired", "not-yet-valid", "expiring-soon", "lifetime", "self-signed", "name",
                                           "wildcard", "key-size", "signature")},
    "T-07": "not-applicable", "T-08": "not-applicable", "T-09": "pass",
}
# Of a server with which no library of today agrees, nobody can tell what it would want of a peer.
NO_HANDSHAKE = {"T-07": "refused-before", "T-08": "refused-before"}
ONLY_1_3 = {"T-05": "not-applicable", "T-05/compression": None, "T-05/renegotiation": None,
            "T-05/extended-master-secret": None}


def key_of(outcome):
    facet = outcome.get("facet", "whole")
    if not isinstance(facet, dict):
        return outcome["check"]
    ((kind, value),) = facet.items()
    return f"{outcome['check']}/{value:#06x}" if kind == "code" else f"{outcome['check']}/{value}"


def said(outcomes):
    """check and part -> state and severity, of the outcomes of the family."""
    said = {}
    for outcome in outcomes:
        if outcome["check"].startswith("T-"):
            state = outcome["state"]
            key = key_of(outcome)
            assert key not in said, f"{key} ended twice"
            said[key] = f"{state} {outcome['severity']}" if state == "finding" else state
    return said


class Certificates:
    """An authority, and certificates right and wrong in one respect."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.build(self.ca_key.public_key(), "Judges CA", "Judges CA", self.ca_key, days=(-1, 700), ca=True)
        self.ca_path = self.write("ca", [self.ca])

    def build(self, public_key, subject, issuer, signing_key, days=(-1, 365), names=(), addresses=(), digest=None, ca=False):
        now = datetime.now(timezone.utc)
        name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(public_key)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1])))
        alternatives = [x509.DNSName(name) for name in names] + [x509.IPAddress(ip_address(a)) for a in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(signing_key, digest or hashes.SHA256())

    def write(self, name, certificates, key=None):
        path = self.directory / f"{name}.pem"
        path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
        if key:
            (self.directory / f"{name}.key").write_bytes(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
        return path

    def make(self, name, key=None, subject=PLANTED, self_signed=False, with_ca=False, names=(NAME,), sha1=False, **options):
        key = key or rsa.generate_private_key(65537, 2048)
        signer, issuer = (key, subject) if self_signed else (self.ca_key, "Judges CA")
        certificate = self.build(key.public_key(), subject, issuer, signer, names=names, **options)
        path = self.write(name, [certificate] + ([self.ca] if with_ca else []), key)
        if sha1:
            self.sign_with_sha1(path, path.with_suffix(".key"))
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        return Pair(path, path.with_suffix(".key"), certificate)

    def sign_with_sha1(self, path, key):
        """By OpenSSL: the library does not sign so any more. Self-signed."""
        extensions = path.with_suffix(".cnf")
        extensions.write_text(f"[req]\ndistinguished_name=n\nx509_extensions=e\nprompt=no\n[n]\nCN={PLANTED}\n"
                              f"[e]\nsubjectAltName=DNS:{NAME}\n")
        subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-sha1", "-days", "365", "-out", path,
                        "-config", extensions], check=True, capture_output=True)


class Pair:
    def __init__(self, certificate_path, key_path, certificate):
        self.certificate_path, self.key_path, self.certificate = certificate_path, key_path, certificate
        self.der = certificate.public_bytes(serialization.Encoding.DER)

    @property
    def sha256(self):
        return hashlib.sha256(self.der).hexdigest()


def free_port():
    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


class Process:
    """A server in a process of its own; everything it says goes to a file."""

    def __init__(self, directory, label, command, address, port):
        self.address, self.port = address, port
        empty = Path(directory) / "openssl.cnf"
        empty.write_text(OPENSSL_WITHOUT_POLICY)
        self.log = open(Path(directory) / f"{label}.log", "wb")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=self.log,
                                        stderr=self.log, env={**os.environ, "OPENSSL_CONF": str(empty)},
                                        start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listens(address, port):
            assert self.process.poll() is None and time.monotonic() < deadline, f"{label} did not start: {self.log.name}"
            time.sleep(0.02)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def listens(address, port):
    """Looks into the kernel's table: a connection would be one more than the audit's."""
    wanted = {f"{struct.unpack('=I', socket.inet_aton(a))[0]:08X}:{port:04X}" for a in (address, "0.0.0.0")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows6 = [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    return (any(row[1] in wanted and row[3] == "0A" for row in rows)
            or any(row[1] == f"{'0' * 32}:{port:04X}" and row[3] == "0A" for row in rows6))


class ByHand:
    """Answers ClientHellos by a policy, as far as ServerHelloDone: what OpenSSL of today will not speak."""

    def __init__(self, address, certificate, versions, suites, compression=False, renegotiation=True, ems=True,
                 dh_bits=1024, asks=False, respond=None):
        self.certificate, self.versions, self.suites = certificate, versions, suites
        self.compression, self.renegotiation, self.ems = compression, renegotiation, ems
        self.dh_bits, self.asks = dh_bits, asks
        self.respond = respond or self.answer
        self.connections = 0
        self.address = address
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((address, 0))
        self.server.listen(16)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def stop(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with connection:
            connection.settimeout(10)
            try:
                first = connection.recv(1, socket.MSG_PEEK)
                if first == b"\x16":
                    self.connections += 1
                self.respond(connection)
            except OSError:
                pass

    def answer(self, connection):
        header = exactly(connection, 5)
        if header[0] != 22:
            return
        hello = exactly(connection, int.from_bytes(header[3:], "big"))
        top, suites, compressions, extensions = parse_hello(hello)
        version = max((v for v in self.versions if v <= top), default=None)
        if version is None:
            return connection.sendall(record(21, bytes([2, 70]), 0x0301))
        chosen = next((suite for suite in suites if suite in self.suites), None)
        if chosen is None:
            return connection.sendall(record(21, bytes([2, 40]), version))
        messages = self.server_hello(version, chosen, compressions, extensions)
        messages += message(11, vector(3, vector(3, self.certificate.der)))
        if chosen in DHE:
            p = (1 << (self.dh_bits - 1)) | 1
            number = p.to_bytes((self.dh_bits + 7) // 8, "big")
            messages += message(12, vector(2, number) + vector(2, b"\x02") + vector(2, number) + vector(2, bytes(128)))
        if self.asks:
            messages += message(13, vector(1, b"\x01") + (vector(2, b"\x04\x01") if version == TLS_1_2 else b"") + vector(2, b""))
        connection.sendall(record(22, messages + message(14, b""), version))
        connection.recv(4096)

    def server_hello(self, version, suite, compressions, extensions):
        method = 1 if self.compression and 1 in compressions else 0
        body = struct.pack(">H", version) + bytes(32) + b"\0" + struct.pack(">HB", suite, method)
        mine = b""
        if self.renegotiation:
            mine += struct.pack(">HH", 0xFF01, 1) + b"\0"
        if self.ems and 23 in extensions:
            mine += struct.pack(">HH", 23, 0)
        if mine and version > SSL_3_0:
            body += vector(2, mine)
        return message(2, body)


DHE = {0x0011, 0x0014, 0x0016, 0x0033, 0x0039, 0x009E}


def exactly(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def parse_hello(hello):
    top, at = int.from_bytes(hello[4:6], "big"), 38
    at += 1 + hello[at]
    length = int.from_bytes(hello[at:at + 2], "big")
    suites = [int.from_bytes(hello[i:i + 2], "big") for i in range(at + 2, at + 2 + length, 2)]
    at += 2 + length
    compressions = hello[at + 1:at + 1 + hello[at]]
    at += 1 + hello[at]
    extensions, at = set(), at + 2
    while at + 4 <= len(hello):
        kind, length = struct.unpack(">HH", hello[at:at + 4])
        extensions.add(kind)
        at += 4 + length
    return top, suites, compressions, extensions


def record(kind, content, version):
    return struct.pack(">BHH", kind, version, len(content)) + content


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(width, data):
    return len(data).to_bytes(width, "big") + data


ASSOCIATE_RJ = bytes([3, 0, 0, 0, 0, 4, 0, 1, 1, 7])


class Targets:
    """All servers, started; `expected` says what the audit must say of each."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.certificates = Certificates(directory)
        self.servers, self.assets, self.expected, self.trusted = [], [], {}, []
        parameters = dh.DHParameterNumbers(OAKLEY_2, 2).parameters()
        (self.directory / "dh1024.pem").write_bytes(
            parameters.parameter_bytes(serialization.Encoding.PEM, serialization.ParameterFormat.PKCS3))
        try:
            self.certificate_defects()
            self.versions()
            self.suites()
            self.by_hand()
            self.peers()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for server in self.servers:
            server.stop()

    def address(self):
        return f"127.7.{len(self.servers) // 250}.{len(self.servers) % 250 + 1}"

    def add(self, label, server, differs, **asset):
        self.servers.append(server)
        asset = {"tls_name": NAME, **asset}
        asset = {key: value for key, value in asset.items() if value is not None}
        self.assets.append({"label": label, "addresses": [server.address], "ports": [server.port], **asset})
        expected = {**RIGHT, **differs}
        self.expected[label] = {check: state for check, state in expected.items() if state is not None}

    def openssl(self, label, *arguments, differs=None, cert=None, asset=None):
        cert = cert or self.certificates.make(label)
        address, port = self.address(), free_port()
        command = ["openssl", "s_server", "-accept", f"{address}:{port}", "-cert", cert.certificate_path, "-cert_chain",
                   cert.certificate_path, "-key", cert.key_path, "-quiet", *arguments]
        if "-cipher" not in arguments:
            command += ["-cipher", MODERN]
        self.add(label, Process(self.directory, label, command, address, port), differs or {}, **(asset or {}))

    def certificate_defects(self):
        make = self.certificates.make
        wrong = lambda **facets: {f"T-06/{part.replace('_', '-')}": f"finding {severity}" for part, severity in facets.items()}
        late = {"T-06/expiring-soon": "not-applicable"}
        self.openssl("right")
        self.openssl("ecdsa", cert=make("ecdsa", key=ec.generate_private_key(ec.SECP256R1())))
        self.openssl("self-signed", cert=make("self-signed", self_signed=True), differs=wrong(self_signed="medium"))
        pinned = make("self-signed-pinned", self_signed=True)
        self.trusted.append(f"sha256:{pinned.sha256}")
        self.openssl("self-signed-pinned", cert=pinned)
        self.openssl("own-authority", cert=make("own-authority", with_ca=True))
        self.openssl("expired", cert=make("expired", days=(-300, -3)), differs={**wrong(expired="high"), **late})
        self.openssl("not-yet-valid", cert=make("not-yet-valid", days=(10, 300)), differs=wrong(not_yet_valid="high"))
        self.openssl("expiring-soon", cert=make("expiring-soon", days=(-300, 12)), differs=wrong(expiring_soon="low"))
        self.openssl("ten-years", cert=make("ten-years", days=(-1, 3650)), differs=wrong(lifetime="low"))
        self.openssl("rsa-1024", "-cipher", f"{MODERN}:@SECLEVEL=0",
                     cert=make("rsa-1024", key=rsa.generate_private_key(65537, 1024)), differs=wrong(key_size="high"))
        self.openssl("secp224r1", "-cipher", f"{MODERN}:@SECLEVEL=0", "-tls1_2",
                     cert=make("secp224r1", key=ec.generate_private_key(ec.SECP224R1())),
                     differs={**wrong(key_size="high"), **NO_HANDSHAKE})
        self.openssl("sha-1", "-cipher", f"{MODERN}:@SECLEVEL=0", cert=make("sha-1", self_signed=True, sha1=True),
                     differs=wrong(signature="high", self_signed="medium"))
        self.openssl("wildcard", cert=make("wildcard", names=["*.judges.example"]), differs=wrong(wildcard="low"))
        self.openssl("wrong-name", cert=make("wrong-name", names=["ris.judges.example"]), differs=wrong(name="medium"))
        self.openssl("wildcard-too-high", cert=make("wildcard-too-high", names=["*.example"]),
                     differs=wrong(wildcard="low", name="medium"))
        self.openssl("common-name-only", cert=make("common-name-only", subject=NAME, names=()))
        self.openssl("no-name-given", asset={"tls_name": None}, differs={"T-06/name": "not-applicable"})
        address = self.address()
        self.openssl("named-by-address", cert=make("named-by-address", names=(), addresses=[address]),
                     asset={"tls_name": None})
        shared = make("shared-key")
        self.openssl("clone-1", cert=shared, differs={"T-09": "finding medium"})
        self.openssl("clone-2", cert=shared, differs={"T-09": "finding medium"})

    def versions(self):
        cbc = {"T-03/cbc": "finding low"}
        old = lambda *versions: {f"T-02/{version:#06x}": "finding high" for version in versions}
        suite = ("-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0")
        self.openssl("only-1.3", "-tls1_3", differs=ONLY_1_3)
        self.openssl("only-1.2", "-tls1_2")
        self.openssl("only-1.1", "-tls1_1", *suite, differs={**old(TLS_1_1), **cbc, **NO_HANDSHAKE})
        self.openssl("only-1.0", "-tls1", *suite, differs={**old(TLS_1_0), **cbc, **NO_HANDSHAKE})
        self.openssl("all-versions", "-cipher", f"{MODERN}:ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
                     differs={**old(TLS_1_0, TLS_1_1), **cbc})
        self.openssl("all-versions-own-order", "-serverpref", "-cipher", f"{MODERN}:ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
                     differs={**old(TLS_1_0, TLS_1_1), **cbc})

    def suites(self):
        weak = lambda **parts: {f"T-03/{part.replace('_', '-')}": f"finding {severity}" for part, severity in parts.items()}
        with_suite = lambda suite: ("-cipher", f"{MODERN}:{suite}:@SECLEVEL=0")
        two = ("-tls1_2",)
        self.openssl("null", *with_suite("NULL-SHA256"), differs=weak(null="critical", static_key="medium"))
        self.openssl("null-ephemeral", *two, *with_suite("ECDHE-RSA-NULL-SHA"), differs=weak(null="critical"))
        self.openssl("only-null", *two, "-cipher", "NULL-SHA256:@SECLEVEL=0",
                     differs={**weak(null="critical", static_key="medium"), **NO_HANDSHAKE})
        self.openssl("anonymous-curve", *two, *with_suite("AECDH-AES128-SHA"),
                     differs=weak(anonymous="critical", cbc="low"))
        self.openssl("anonymous", *two, *with_suite("ADH-AES128-GCM-SHA256"), "-dhparam", self.directory / "dh1024.pem",
                     differs={**weak(anonymous="critical"), "T-04/dhe": "finding medium"})
        self.openssl("anonymous-null", *two, *with_suite("AECDH-NULL-SHA"), differs=weak(anonymous="critical", null="critical"))
        self.openssl("static-rsa", *two, *with_suite("AES128-GCM-SHA256"), differs=weak(static_key="medium"))
        self.openssl("only-static-rsa", *two, "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0",
                     differs={**weak(static_key="medium"), **NO_HANDSHAKE})
        self.openssl("static-rsa-cbc", *with_suite("AES256-SHA256"), differs=weak(static_key="medium", cbc="low"))
        self.openssl("cbc", *with_suite("ECDHE-RSA-AES128-SHA256"), differs=weak(cbc="low"))
        self.openssl("camellia", *with_suite("ECDHE-RSA-CAMELLIA128-SHA256"), differs=weak(cbc="low"))
        dhe = ("-cipher", f"{MODERN}:DHE+AESGCM:@SECLEVEL=0", "-dhparam")
        self.openssl("dhe-1024", *dhe, self.directory / "dh1024.pem", differs={"T-04/dhe": "finding medium"})
        self.openssl("dhe-2048", "-cipher", f"{MODERN}:DHE+AESGCM", differs={"T-04/dhe": "pass"})
        self.openssl("dhe-1024-own-order", "-serverpref", *dhe, self.directory / "dh1024.pem",
                     differs={"T-04/dhe": "finding medium"})
        self.openssl("short-curve", "-cipher", f"{MODERN}:@SECLEVEL=0", "-curves", "X25519:P-256:P-224",
                     differs={"T-04/curve": "finding medium"})
        self.openssl("everything", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-dhparam", self.directory / "dh1024.pem",
                     differs={**weak(null="critical", anonymous="critical", static_key="medium", cbc="low"),
                              "T-02/0x0301": "finding high", "T-02/0x0302": "finding high", "T-04/dhe": "finding medium"})

    def by_hand(self):
        aead = [0x009E]

        def add(label, versions, suites, differs, **policy):
            pair = self.certificates.make(label)
            server = ByHand(self.address(), pair, versions, suites, **{"dh_bits": 2048, **policy})
            self.add(label, server, {"T-04/dhe": "not-applicable", **NO_HANDSHAKE, **differs})

        dhe = {"T-04/dhe": "pass"}
        weak = lambda **parts: {f"T-03/{part.replace('_', '-')}": f"finding {severity}" for part, severity in parts.items()}
        extensions = {"T-05/extended-master-secret": "finding low"}
        add("ssl-3", [SSL_3_0], [0x002F], {"T-02/0x0300": "finding high", **weak(static_key="medium", cbc="low"), **extensions,
                                 "T-05/renegotiation": "finding medium"})
        add("ssl-3-and-tls", [SSL_3_0, TLS_1_2], aead, {"T-02/0x0300": "finding high", **dhe})
        add("compression", [TLS_1_2], aead, {"T-05/compression": "finding medium", **dhe}, compression=True)
        add("no-secure-renegotiation", [TLS_1_2], aead, {"T-05/renegotiation": "finding medium", **dhe}, renegotiation=False)
        add("no-extended-master-secret", [TLS_1_2], aead, {**extensions, **dhe}, ems=False)
        add("rc4", [TLS_1_2], [0xC011] + aead, {**weak(rc4="high"), **dhe})
        add("rc4-static", [TLS_1_2], [0x0005] + aead, {**weak(rc4="high", static_key="medium"), **dhe})
        add("triple-des", [TLS_1_2], [0x000A] + aead,
            {**weak(triple_des="high", static_key="medium", cbc="low"), **dhe})
        add("export", [TLS_1_2], [0x0008] + aead, {**weak(export="high", static_key="medium", cbc="low"), **dhe})
        add("export-dhe-512", [TLS_1_2], [0x0014],
            {**weak(export="high", cbc="low"), "T-04/dhe": "finding high"}, dh_bits=512)
        add("dhe-1023", [TLS_1_2], aead, {"T-04/dhe": "finding high"}, dh_bits=1023)
        add("dhe-4096", [TLS_1_2], aead, {"T-04/dhe": "pass"}, dh_bits=4096)

    def peers(self):
        authority = ("-CAfile", self.certificates.ca_path)
        demanded, asked = {"T-07": "pass", "T-08": "pass"}, {"T-07": "pass"}
        self.openssl("demands-1.3", "-Verify", "1", "-tls1_3", *authority, differs={**ONLY_1_3, **demanded})
        self.openssl("demands-1.2", "-Verify", "1", "-tls1_2", *authority, differs=demanded)
        self.openssl("asks", "-verify", "1", *authority, differs=asked)
        # storescp 3.6.7 with its own profile: TLS 1.2 and 1.3 as its OpenSSL has them.
        for label, option, differs in (
                ("storescp-requires", "--require-peer-cert", demanded),
                ("storescp-verifies", "--verify-peer-cert", {"T-07": "pass", "T-08": "finding high"}),
                ("storescp-ignores", "--ignore-peer-cert", {"T-07": "finding high"})):
            pair, port = self.certificates.make(label), free_port()
            command = ["storescp", "+tls", pair.key_path, pair.certificate_path, "+cf", self.certificates.ca_path,
                       option, "--ignore", port]
            self.add(label, Process(self.directory, label, command, self.address(), port), {"T-04/dhe": ANY, **differs})
        port = 2762
        command = ["storescp", "--ignore", port]
        server = Process(self.directory, "clear-on-2762", command, self.address(), port)
        self.add("clear-on-2762", server, {check: None for check in RIGHT})
        self.expected["clear-on-2762"] = {"T-01": "finding high"}
        self.both_on_one_port()

    def both_on_one_port(self):
        """TLS to who says hello, a rejection in clear to who asks for an association."""
        pair = self.certificates.make("both-on-one-port")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate_path, pair.key_path)
        context.set_ciphers(MODERN)

        def respond(connection):
            if connection.recv(1, socket.MSG_PEEK) == b"\x01":
                exactly(connection, 6)
                connection.sendall(ASSOCIATE_RJ)
                connection.recv(4096)
                return
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
            except ssl.SSLError:
                pass

        server = ByHand(self.address(), pair, [], [], respond=respond)
        self.add("both-on-one-port", server, {"T-01": "finding high"})


ANY = "any"
