"""Real services on loopback addresses of their own, open and closed, for the judges of the network family.

Each is started on a free high port with a folder of its own and stopped by [`Services.stop`]. Secrets are made at
start and kept nowhere. Nothing here is ever bound to another address than 127.x.
"""
import os
import pwd
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 60
SECRET = secrets.token_urlsafe(24)
NOBODY_KNOWS = secrets.token_urlsafe(8)


class Missing(Exception):
    """A component is not on this machine."""


def tool(*names):
    """The path of the first of these programs that is here."""
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", *map(str, postgres)])
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise Missing(" or ".join(names))


@dataclass
class Service:
    """One that runs: as the scope names it, where it is, and how it ends."""
    label: str
    kind: str
    address: str
    port: int
    stops: list = field(default_factory=list)
    shares: list = field(default_factory=list)
    urls: list = field(default_factory=list)
    declared: bool = True

    def asset(self):
        """Its table in a scope file."""
        asset = {"label": self.label, "addresses": [self.address], "ports": [self.port]}
        if self.declared:
            asset["services"] = {self.port: self.kind}
        if self.shares:
            asset["shares"] = self.shares
        if self.urls:
            asset["urls"] = self.urls
        return asset


class Services:
    """Starts services, each on the next address of a loopback /24, and stops them all."""

    def __init__(self, directory, network="127.77.0"):
        self.directory, self.network = Path(directory), network
        self.directory.chmod(0o755)
        for parent in self.directory.parents:
            if parent.owner() == "root" and parent != Path("/") and parent.stat().st_mode & 0o777 == 0o700:
                parent.chmod(0o711)  # other accounts' servers pass through pytest's folders
        self.running = []
        self.certificate = None

    # What every one of them needs

    def place(self, label):
        folder = self.directory / label
        folder.mkdir()
        address = f"{self.network}.{len(self.running) + 1}"
        return folder, address, free_port(address)

    def run(self, label, kind, command, folder, address, port, user=None, env=None, **more):
        """Starts a server and waits until it takes connections."""
        account = user if user and os.geteuid() == 0 else None
        if account:
            give(folder, account)
        log = open(folder / "log", "wb")
        process = subprocess.Popen([str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, user=account, group=group_of(account), extra_groups=[] if account else None,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
        service = Service(label, kind, address, port, [lambda: end(process)], **more)
        self.running.append(service)
        await_port(address, port, process, folder / "log")
        return service

    def tls(self):
        """A certificate and its key, made once."""
        if not self.certificate:
            cert, key = self.directory / "cert.pem", self.directory / "key.pem"
            subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                            "/CN=service.invalid", "-keyout", key, "-out", cert], check=True, capture_output=True)
            self.certificate = cert, key
        return self.certificate

    def tls_in(self, folder, account=None):
        """Copies of them that the account may read."""
        cert, key = (Path(shutil.copy(path, folder)) for path in self.tls())
        key.chmod(0o600)
        return cert, key

    def stop(self):
        for service in reversed(self.running):
            for stop in reversed(service.stops):
                stop()
        self.running.clear()

    # Databases

    def postgresql(self, label, with_tls):
        folder, address, port = self.place(label)
        data, password = folder / "data", folder / "password"
        initdb, server = tool("initdb"), tool("postgres")
        password.write_text(SECRET)
        account = "postgres" if os.geteuid() == 0 else None
        give(folder, account)
        subprocess.run([initdb, "-D", data, "-A", "scram-sha-256", f"--pwfile={password}", "-U", "judge", "--no-sync"],
                       check=True, capture_output=True, user=account, group=group_of(account),
                       extra_groups=[] if account else None, cwd=folder)
        options = ["-c", "fsync=off"]
        if with_tls:
            cert, key = self.tls_in(data)
            options += ["-c", "ssl=on", "-c", f"ssl_cert_file={cert}", "-c", f"ssl_key_file={key}"]
        return self.run(label, "postgresql", [server, "-D", data, "-h", address, "-p", port, "-k", folder, *options],
                        folder, address, port, user="postgres")

    def mariadb(self, label, with_tls):
        folder, address, port = self.place(label)
        data = folder / "data"
        data.mkdir()
        owner = pwd.getpwuid(os.geteuid()).pw_name
        # An empty one, without even its own tables: its greeting is all that is looked at.
        command = [tool("mariadbd"), "--no-defaults", "--skip-grant-tables", "--skip-networking=0",
                   f"--datadir={data}", f"--bind-address={address}", f"--port={port}", f"--socket={folder}/sock",
                   f"--user={owner}", f"--pid-file={folder}/pid"]
        if with_tls:
            cert, key = self.tls_in(folder)
            command += [f"--ssl-cert={cert}", f"--ssl-key={key}", f"--ssl-ca={cert}"]
        return self.run(label, "mysql", command, folder, address, port)

    def redis(self, label, password=False, with_tls=False):
        folder, address, port = self.place(label)
        command = [tool("redis-server"), "--bind", address, "--save", "", "--protected-mode", "no", "--dir", folder]
        if password:
            command += ["--requirepass", SECRET]
        if with_tls:
            cert, key = self.tls_in(folder)
            command += ["--port", "0", "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
                        "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"]
        else:
            command += ["--port", port]
        return self.run(label, "redis", command, folder, address, port)

    def slapd(self, label, closed):
        folder, address, port = self.place(label)
        (folder / "data").mkdir()
        rules = "require authc\naccess to * by users read by anonymous auth" if closed else "access to * by * read"
        tls = ""
        if closed:
            cert, key = self.tls_in(folder)
            tls = f"TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n"
        (folder / "slapd.conf").write_text(
            f"include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {folder}/pid\n"
            f"{tls}database mdb\nsuffix \"dc=judge,dc=invalid\"\ndirectory {folder}/data\n{rules}\n")
        entry = "dn: dc=judge,dc=invalid\nobjectClass: dcObject\nobjectClass: organization\no: judge\ndc: judge\n"
        subprocess.run([tool("slapadd"), "-f", folder / "slapd.conf"], input=entry, text=True, check=True,
                       capture_output=True)
        return self.run(label, "ldap", [tool("slapd"), "-d", "0", "-f", folder / "slapd.conf", "-h",
                                        f"ldap://{address}:{port}/"], folder, address, port)

    # File transports

    def vsftpd(self, label, anonymous, with_tls=False, declared=True):
        folder, address, port = self.place(label)
        files = folder / "files"
        files.mkdir(mode=0o755)
        for name in ("a.dcm", "b.DCM", "notes.txt"):
            (files / name).write_bytes(b"\0")
        yes = {True: "YES", False: "NO"}
        lines = {"listen": "YES", "listen_address": address, "listen_port": port, "background": "NO",
                 "run_as_launching_user": "YES", "anonymous_enable": yes[anonymous], "local_enable": yes[not anonymous],
                 "anon_root": files, "seccomp_sandbox": "NO", "xferlog_enable": "NO"}
        if with_tls:
            cert, key = self.tls_in(folder)
            lines |= {"ssl_enable": "YES", "rsa_cert_file": cert, "rsa_private_key_file": key}
        conf = folder / "vsftpd.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return self.run(label, "ftp", [tool("vsftpd"), conf], folder, address, port, declared=declared)

    def rsync(self, label, closed):
        folder, address, port = self.place(label)
        (folder / "images").mkdir()
        keys = folder / "secrets"
        keys.write_text(f"judge:{SECRET}\n")
        keys.chmod(0o600)
        guard = f"auth users = judge\nsecrets file = {keys}\n" if closed else ""
        (folder / "rsyncd.conf").write_text(f"use chroot = no\n[images]\npath = {folder}/images\nread only = yes\n{guard}")
        return self.run(label, "rsync", [tool("rsync"), "--daemon", "--no-detach", f"--config={folder}/rsyncd.conf",
                                         f"--address={address}", f"--port={port}"], folder, address, port)

    def webdav(self, label, closed, declared=True):
        folder, address, port = self.place(label)
        (folder / "files").mkdir()
        users = f"    '*':\n      judge:\n        password: '{SECRET}'\n" if closed else "    '*': true\n"
        (folder / "wsgidav.yaml").write_text(
            f"host: {address}\nport: {port}\nserver: cheroot\nprovider_mapping:\n  '/': '{folder}/files'\n"
            f"http_authenticator:\n  domain_controller: null\nsimple_dc:\n  user_mapping:\n{users}")
        return self.run(label, "webdav", [tool("wsgidav"), "--config", folder / "wsgidav.yaml"], folder, address, port,
                        declared=declared)

    def seaweedfs(self, label, closed):
        """Its parts find each other by ports 10,000 above those of HTTP, so all are chosen below 22,768."""
        folder, address, port = self.place(label)
        (folder / "data").mkdir()
        master, volume, filer = (low_port(address) for _ in range(3))
        command = [tool("weed"), "server", f"-dir={folder}/data", f"-ip={address}", f"-ip.bind={address}", "-s3",
                   f"-s3.port={low_port(address)}", f"-master.port={master}", f"-volume.port={volume}",
                   f"-filer.port={filer}", "-master.volumeSizeLimitMB=64", "-volume.max=2"]
        port = int(command[6].split("=")[1])
        if closed:
            (folder / "s3.json").write_text(
                '{"identities": [{"name": "judge", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], '
                '"actions": ["Admin"]}]}' % (NOBODY_KNOWS, SECRET))
            command.append(f"-s3.config={folder}/s3.json")
        return self.run(label, "s3", command, folder, address, port)

    def samba(self, label, closed):
        folder, address, port = self.place(label)
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "images"):
            (folder / name).mkdir(mode=0o755)
        (folder / "images").chmod(0o777)
        owner = pwd.getpwuid(os.geteuid()).pw_name
        lines = {"interfaces": f"{address}/8", "bind interfaces only": "yes", "smb ports": port, "private dir": folder / "private",
                 "lock directory": folder / "lock", "state directory": folder / "state", "cache directory": folder / "cache",
                 "pid directory": folder / "pid", "ncalrpc dir": folder / "ncalrpc", "load printers": "no",
                 "disable spoolss": "yes", "server role": "standalone server", "disable netbios": "yes",
                 "log file": folder / "smb.log", "passdb backend": f"tdbsam:{folder}/private/passdb.tdb"}
        if closed:
            lines |= {"server min protocol": "SMB2_10", "server signing": "mandatory", "map to guest": "never",
                      "restrict anonymous": 2}
        else:
            lines |= {"server min protocol": "NT1", "server signing": "auto", "map to guest": "bad user",
                      "guest account": "nobody" if os.geteuid() == 0 else owner}
        conf = folder / "smb.conf"
        share = f"[images]\npath = {folder}/images\nread only = yes\nguest ok = {'no' if closed else 'yes'}\n"
        conf.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()) + share)
        return self.run(label, "smb", [tool("smbd"), "--foreground", "--no-process-group", f"--configfile={conf}"],
                        folder, address, port, shares=["images"])

    # Remote administration

    def vnc(self, label, closed):
        folder, address, port = self.place(label)
        display = 200 + len(self.running)
        command = [tool("Xtigervnc", "Xvnc"), f":{display}", "-rfbport", port, "-interface", address, "-geometry",
                   "64x64", "-nolisten", "tcp", "-ac"]
        if closed:
            made = subprocess.run([tool("tigervncpasswd", "vncpasswd"), "-f"], input=SECRET[:8].encode() + b"\n", check=True,
                                  capture_output=True).stdout
            (folder / "password").write_bytes(made)
            command += ["-SecurityTypes", "VncAuth", "-PasswordFile", folder / "password"]
        else:
            command += ["-SecurityTypes", "None"]
        return self.run(label, "vnc", command, folder, address, port)

    def xrdp(self, label):
        folder, address, port = self.place(label)
        cert, key = self.tls_in(folder)
        (folder / "xrdp.ini").write_text(
            f"[Globals]\nini_version=1\nfork=false\nport=tcp://{address}:{port}\nuse_vsock=false\ntcp_nodelay=true\n"
            f"security_layer=negotiate\ncrypt_level=high\ncertificate={cert}\nkey_file={key}\nmax_bpp=32\n"
            f"[Logging]\nLogFile={folder}/xrdp.log\nLogLevel=INFO\nEnableSyslog=false\n")
        return self.run(label, "rdp", [tool("xrdp"), "--nodaemon", "--config", folder / "xrdp.ini"], folder, address, port)

    def telnetd(self, label):
        """The real telnet daemon, which expects somebody else to take connections for it."""
        daemon = tool("telnetd", "in.telnetd")
        folder, address, port = self.place(label)

        def serve(connection):
            with connection:
                process = subprocess.Popen([daemon, "-E", "/bin/false"], stdin=connection, stdout=connection,
                                           stderr=subprocess.DEVNULL)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    end(process)

        return self.listen(label, "telnet", address, port, serve)

    def mllp(self, label, with_tls):
        """Takes connections for messages, and says nothing of itself."""
        folder, address, port = self.place(label)
        context = None
        if with_tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self.tls())

        def serve(connection):
            with connection:
                connection.settimeout(5)
                try:
                    while (context.wrap_socket(connection, server_side=True) if context else connection).recv(4096):
                        pass
                except OSError:
                    pass

        return self.listen(label, "mllp", address, port, serve)

    def listen(self, label, kind, address, port, serve):
        """A listener in this process."""
        listener = socket.create_server((address, port))
        service = Service(label, kind, address, port, [lambda: listener.shutdown(socket.SHUT_RDWR), listener.close])
        service.stops.reverse()

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        self.running.append(service)
        return service


def free_port(address):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def low_port(address):
    """A free port that has another free one 10,000 above it."""
    for _ in range(1000):
        port = 11_000 + secrets.randbelow(11_000)
        with socket.socket() as low, socket.socket() as high:
            try:
                low.bind((address, port))
                high.bind((address, port + 10_000))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def give(folder, account):
    if account:
        subprocess.run(["chown", "-R", f"{account}:", str(folder)], check=True)


def group_of(account):
    return pwd.getpwnam(account).pw_gid if account else None


def await_port(address, port, process, log):
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            told = log.read_text(errors="replace")[-2000:] if log else ""
            raise RuntimeError(f"{process.args[0]} does not listen on {address}:{port}\n{told}")
        time.sleep(0.02)


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
