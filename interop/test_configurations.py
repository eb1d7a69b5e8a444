"""No configuration opens a door, seen from outside: what `crates/server/tests/closed` does to the library, done to the program
with its flags and its environment. Each random file is started over an archive that holds names, and looked at by somebody
who has nothing, at every socket that is listened on.

In a network of its own (a namespace with a private and a public address), so that a door that comes out comes out to nobody.
First nobody has a second factor, and every door stays on the loopback; then an administrator enrols one at a running archive,
whose doors come out; then doors are where they are configured. Without the right to make such a network the loopback alone is
looked at, and the test counts as not run. LEADGLASS_STARTS says how many; 6 unless told, 100 with LEADGLASS_FULL.
"""

import json
import os
import random
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from leadglass import BINARY, ROOT, Archive, wait_until
from people import PASSPHRASE, Browser, add, enrol

SAMPLE = ROOT / "testdata" / "samples"
PRIVATE, PUBLIC = "10.77.0.1", "8.8.8.8"  # of the namespace alone; the public one has to be one that the archive takes for such
LINKS = "ip link set lo up && { ip link add doors type dummy || ip link add doors type bridge; } 2>/dev/null && " \
        f"ip addr add {PRIVATE}/24 dev doors && ip addr add {PUBLIC}/32 dev doors && ip link set doors up"
LOOPBACK = ["127.0.0.1", "[::1]"]
EVERYWHERE = ["0.0.0.0", "[::]", PRIVATE, PUBLIC]
PATHS = [
    "/", "/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances", "/dicom-web/studies?limit=1&includefield=all",
    "/dicom-web/studies/{study}", "/dicom-web/studies/{study}/metadata", "/dicom-web/studies/{study}/series",
    "/wado?requestType=WADO&studyUID={study}&seriesUID=1.2&objectUID=1.3", "/admin/v1/trail", "/admin/v1/peers", "/admin/v1/tokens",
    "/admin/v1/explain", "/admin/v1/statistics", "/admin/v1/quarantine", "/admin/v1/reviews", "/metrics", "/setup", "/login",
    "/healthz/live", "/healthz/ready", "/dicom-web/../admin/v1/trail", "/.git/config",
]
ANSWER_ANYBODY = {"/healthz/live", "/healthz/ready", "/login", "/setup"}
# Variables that open other products, and ours made up; none may mean anything.
VARIABLES = ["LEADGLASS_INSECURE", "LEADGLASS_NO_AUTH", "LEADGLASS_NO_TLS", "LEADGLASS_LISTEN", "LEADGLASS_DEBUG", "INSECURE",
             "AUTHENTICATION_ENABLED", "ORTHANC__AUTHENTICATION_ENABLED", "DISABLE_TLS", "RUST_BACKTRACE", "NOTIFY_SOCKET"]


def how_many():
    return int(os.environ.get("LEADGLASS_STARTS", 100 if os.environ.get("LEADGLASS_FULL") else 6))


def associate_rq(called, calling):
    """An A-ASSOCIATE-RQ for C-ECHO and Study Root FIND, by hand: PS3.8 9.3.2."""
    def item(kind, body):
        return bytes([kind, 0]) + len(body).to_bytes(2, "big") + body
    contexts = b""
    for number, uid in ((1, b"1.2.840.10008.1.1"), (3, b"1.2.840.10008.5.1.4.1.2.2.1")):
        contexts += item(0x20, bytes([number, 0, 0, 0]) + item(0x30, uid) + item(0x40, b"1.2.840.10008.1.2"))
    user = item(0x50, item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3.4"))
    body = b"\0\1\0\0" + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32) \
        + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user
    return b"\1\0" + len(body).to_bytes(4, "big") + body


class Stranger:
    """Somebody with nothing: no certificate, no token."""

    def __init__(self, study, called):
        self.study, self.called, self.heard = study, called, bytearray()

    def say(self, address, words, tls=False):
        """What comes back to these bytes; nothing when the connection or the handshake ends."""
        answer = b""
        try:
            with socket.create_connection(address, timeout=10) as raw:
                wire = raw
                if tls:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    wire = context.wrap_socket(raw, server_hostname="localhost")
                wire.sendall(words)
                while len(answer) < 1 << 20 and (more := wire.recv(65536)):
                    answer += more
        except OSError:
            pass
        self.heard += answer
        return answer

    def look(self, address):
        """What is wrong with the door at that address."""
        wrong = []
        rq = associate_rq(self.called, "STRANGER")
        for words in (b"GET /dicom-web/studies HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", rq):
            answer = self.say(address, words)
            if answer and answer[0] != 0x15:  # a TLS alert, RFC 8446 5.1
                wrong.append(f"{address} answers clear text")
        answer = self.say(address, rq, tls=True)
        if answer[:1] in (b"\2", b"\4"):
            wrong.append(f"{address} associates with a stranger")
        for path in PATHS:
            asked = path.format(study=self.study)
            answer = self.say(address, f"GET {asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(), tls=True)
            status = re.match(rb"HTTP/1\.1 (\d{3})", answer)
            if status and status.group(1)[:1] == b"2" and path not in ANSWER_ANYBODY:
                wrong.append(f"{address} answers {path} to a stranger with {status.group(1).decode()}")
        return wrong


def defaults():
    """Every key of the file that `config generate` prints, with its default."""
    section, found = None, []
    for line in subprocess.run([str(BINARY), "config", "generate"], capture_output=True, text=True, check=True).stdout.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header.group(1)
        elif key := re.fullmatch(r"# (\w+) = (.+)", line):
            found.append((section, key.group(1), key.group(2)))
    return found


def anywhere(dice, addresses):
    return f'"{dice.choice(addresses)}:0"'


def configuration(dice, keys, addresses):
    """A random file: each key as it is, or smaller, or larger."""
    text, last = "", None
    for section, key, value in keys:
        if (section, key) in (("data", "dir"), ("data", "key")) or (section, key) != ("listen", "https") and dice.random() < 0.5:
            continue
        if (section, key) in (("listen", "https"), ("listen", "dicom")):
            value = anywhere(dice, addresses)
        elif (section, key) == ("listen", "names"):
            value = json.dumps(dice.sample(["pacs.example", PUBLIC, "localhost"], dice.randrange(3)))
        elif (section, key) == ("dimse", "ae_title"):
            value = json.dumps(dice.choice(["", "ARCHIVE", "ANY-SCP", "ORTHANC"]))
        elif (section, key) == ("log", "format"):
            value = json.dumps(dice.choice(["json", "text"]))
        elif (section, key) == ("log", "level"):
            value = json.dumps(dice.choice(["error", "warn", "info", "debug", "trace"]))
        elif value.isdigit():
            larger = 1 if section == "scan" else dice.randrange(2, 5)  # its bounds can only be lowered
            value = str(dice.choice([int(value), max(1, int(value) // dice.randrange(2, 9)), int(value) * larger]))
        elif value in ("true", "false"):
            value = dice.choice(["true", "false"])
        text += (f"\n[{section}]\n" if section != last else "") + f"{key} = {value}\n"
        last = section
    return text


def listening():
    """Each socket that is listened on in this network, from /proc/net; UDP ones are (address, "udp")."""
    found = []
    for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            local, mode, inode = line.split()[1], line.split()[3], line.split()[9]
            if mode == state:
                raw, port = local.split(":")
                words = b"".join(bytes.fromhex(raw[at:at + 8])[::-1] for at in range(0, len(raw), 8))
                family = socket.AF_INET if len(words) == 4 else socket.AF_INET6
                found.append((socket.inet_ntop(family, words), int(port, 16), kind[:3], inode))
    return found


def sockets_of(pid):
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return {match.group(1) for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}


def is_loopback(host):
    return host.startswith("127.") or host == "::1"


def each(host):
    """Where a stranger finds a door: at a wildcard, under each address that there is."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    here = [line.split()[3].partition("/")[0] for line in ADDRESSES.splitlines()]
    return [address for address in here if ":" not in address or host == "::" and address == "::1"]


ADDRESSES = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True).stdout if shutil.which("ip") else \
    "1: lo inet 127.0.0.1/8\n1: lo inet6 ::1/128\n"


class Serving:
    """`serve` with a file, flags and variables, and where it listens."""

    def __init__(self, folder, text, dice, data, flags=()):
        self.file, self.data, self.flags = folder / "leadglass.toml", data, list(flags)
        self.file.write_text(text)
        environment = os.environ | {name: dice.choice(["1", "true", "0", "false"]) for name in dice.sample(VARIABLES, 3)}
        environment.pop("NOTIFY_SOCKET", None)
        with open(folder / "serve.log", "wb") as log:
            self.process = subprocess.Popen([str(BINARY), "serve", "--config", str(self.file), "--data", str(data), *self.flags],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while self.process.poll() is None and not (self.data / "serving.json").exists():
            assert time.monotonic() < deadline, "it neither serves nor ends"
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        for left in self.data.glob("serving.json"):
            left.unlink()

    def is_running(self):
        return self.process.poll() is None

    def says(self, door):
        """Host and port of a door, by what it tells the commands of its host."""
        host, _, port = json.loads((self.data / "serving.json").read_text())[door].rpartition(":")
        return host.strip("[]"), int(port)

    def doors(self):
        own = sockets_of(self.process.pid)
        return [door for door in listening() if door[3] in own]

    def look(self, stranger):
        """What is wrong with its doors, how many there are, how many of them where others come."""
        doors = self.doors()
        wrong = [f"{door[:2]} takes UDP" for door in doors if door[2] == "udp"]
        if not doors:
            wrong.append("it says that it serves, and no socket is listened on")
        if "--i-accept-public-dimse" not in self.flags and self.says("dicom")[0] in ("0.0.0.0", "::", PUBLIC):
            wrong.append("a DICOM door is public, and nobody said that it is meant")
        for host, port, kind, _ in doors:
            for address in each(host) if kind == "tcp" else ():
                wrong += stranger.look((address, port))
        host, port = self.says("https")
        for address in each(host):
            alive = stranger.say((address, port), b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", tls=True)
            if not alive.startswith(b"HTTP/1.1 200"):
                wrong.append(f"nobody was heard at {address}, so nothing was looked at")
        return wrong, len(doors), sum(not is_loopback(host) for host, _, _, _ in doors)


class Seen:
    """What was seen of all of them."""

    def __init__(self):
        self.started, self.refused, self.doors, self.elsewhere, self.wrong = 0, 0, 0, 0, []

    def add(self, text, wrong, doors, elsewhere):
        self.started, self.doors, self.elsewhere = self.started + 1, self.doors + doors, self.elsewhere + elsewhere
        self.wrong += [f"{what}\n{text}" for what in wrong]


def look_at_random_ones(seen, until, folder, dice, stranger, data, addresses):
    keys = defaults()
    while seen.started < until:
        text = configuration(dice, keys, addresses)
        flags = ["--i-accept-public-dimse"] if dice.random() < 0.5 else []
        with Serving(folder, text, dice, data, flags) as serving:
            if serving.is_running():
                seen.add(text, *serving.look(stranger))
                continue
        seen.refused += 1
        assert seen.refused < 20 * until + 50, (folder / "serve.log").read_text()[-2000:]


def come_out(seen, folder, dice, stranger, archive, invitation, addresses):
    """An administrator enrols a second factor at the loopback doors of a running archive: they move where others come."""
    chosen = dice.choice([address for address in addresses if address not in LOOPBACK])
    text = f'[listen]\nhttps = "{chosen}:0"\ndicom = "{chosen}:0"\n'
    with Serving(folder, text, dice, Path(archive.data_dir), ["--i-accept-public-dimse"]) as serving:
        assert serving.is_running(), (folder / "serve.log").read_text()[-2000:]
        host, port = serving.says("https")
        if not is_loopback(host):
            seen.wrong.append(f"nobody has a second factor, and yet {host}\n{text}")
        archive.https = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        browser = Browser(archive)
        answer = browser.ask("POST", "/login/invitation", {"name": "root", "invitation": invitation, "passphrase": PASSPHRASE})
        assert answer.status_code == 200, answer.text
        enrol(browser)
        assert wait_until(lambda: serving.says("https")[0] == chosen.strip("[]"), 90), (folder / "serve.log").read_text()[-2000:]
        assert wait_until(lambda: len(serving.doors()) == 2, 60), "the old doors are closed"
        seen.add(text, *serving.look(stranger))


def look_at_many(folder, count, seed, addresses):
    folder = Path(folder)
    archive = Archive(folder / "archive", samples=True).start()
    session = archive.session()
    study = session.get(f"{archive.dicomweb}/studies?limit=1&includefield=00100010", timeout=60).json()[0]
    rows = session.get(f"{archive.dicomweb}/studies?includefield=00100010", timeout=60).json()
    planted = {value.encode() for value in planted_values(rows)}
    called, invitation, data = archive.ae, add(archive, "root", "--role", "administrator"), Path(archive.data_dir)
    archive.stop()
    stranger, dice, seen = Stranger(study["0020000D"]["Value"][0], called), random.Random(seed), Seen()
    outside = set(addresses) != set(LOOPBACK)
    look_at_random_ones(seen, max(1, count // 3) if outside else count, folder, dice, stranger, data, addresses)
    before = seen.elsewhere
    if outside:
        come_out(seen, folder, dice, stranger, archive, invitation, addresses)
        look_at_random_ones(seen, count, folder, dice, stranger, data, addresses)
    # What the stranger itself asked for comes back in nothing: paths are not repeated.
    canaries = sorted(value.decode(errors="replace") for value in planted if len(value) > 3 and value in stranger.heard)
    return vars(seen) | {"seed": seed, "too_early": before, "planted": len(planted), "canaries": canaries, "heard": len(stranger.heard)}


def planted_values(rows):
    """Names, IDs and UIDs."""
    values = [value for row in rows for tag in ("00100010", "00100020", "0020000D") for value in row.get(tag, {}).get("Value", [])]
    return [value.get("Alphabetic", "") if isinstance(value, dict) else value for value in values]


def test_the_stranger_sees_a_door_that_is_open():
    """The control: a server in clear text that answers everybody, web and DICOM."""
    class Open(socketserver.BaseRequestHandler):
        def handle(self):
            asked = self.request.recv(65536)
            self.request.sendall(b"\2\0\0\0\0\4AC!!" if asked[:1] == b"\1" else b"HTTP/1.1 200 OK\r\n\r\nDOE^JANE")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stranger = Stranger("1.2.3", "ANY-SCP")
        wrong = stranger.look(server.server_address)
        server.shutdown()
    assert sum("clear text" in what for what in wrong) == 2 and b"DOE^JANE" in stranger.heard


def test_no_random_configuration_opens_a_door(tmp_path):
    seed = int(os.environ.get("LEADGLASS_SEED", random.SystemRandom().randrange(1 << 32)))
    command = [sys.executable, __file__, str(tmp_path), str(how_many()), str(seed)]
    within = own_network()
    if within:
        command = [*within, *command, "everywhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"configurations: {result['started']} started, {result['refused']} not taken, {result['doors']} doors, "
          f"{result['elsewhere']} of them off the loopback, {result['heard']} bytes heard, {len(result['canaries'])} canaries")
    assert result["started"] == how_many() and result["doors"] >= result["started"] and result["planted"] > 0 and result["heard"] > 0
    assert not result["wrong"], f"seed {seed}: " + "\n".join(result["wrong"])
    assert not result["canaries"], f"seed {seed}: {result['canaries']}"
    assert result["too_early"] == 0, f"seed {seed}: doors came out before anybody had a second factor"
    if not within:
        pytest.skip("no network of its own can be made here (unshare -n, ip): no door was looked at where others come")
    assert result["elsewhere"] > 0, f"seed {seed}: no door came out"


def own_network():
    """The beginning of a command that runs in a network of its own; nothing where none can be made."""
    for flags in ("-n", "-rn"):
        within = ["unshare", flags, "sh", "-c", f'{LINKS} && exec "$@"', "sh"]
        if shutil.which("unshare") and subprocess.run([*within, "true"], capture_output=True).returncode == 0:
            return within
    return None


if __name__ == "__main__":
    at, many, chosen = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(look_at_many(at, many, chosen, LOOPBACK + (EVERYWHERE if sys.argv[4:] else []))))
