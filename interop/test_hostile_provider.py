"""Identity providers that are not what they seem: they redirect, send the archive to other hosts, sign with others' keys. What
they name has a listener of ours, and nobody ever calls there: RFC 6749 10, OpenID Connect Discovery 4.3, CWE-918.
"""

import base64
import http.server
import json
import secrets
import socket
import ssl
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from leadglass import Archive
from people import SESSION, Authority

NAMES = ("honest", "moved", "keys-elsewhere", "tokens-elsewhere", "moving-tokens")


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Canary:
    """A listener that nobody is to call: who connects waits in its queue and is counted there."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listener.setblocking(False)
        self.at = f"https://localhost:{self.listener.getsockname()[1]}"

    def calls(self):
        called = 0
        while True:
            try:
                self.listener.accept()[0].close()
                called += 1
            except BlockingIOError:
                return called


class Key:
    def __init__(self):
        self.private = rsa.generate_private_key(65537, 2048)

    def jwk(self, kid):
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": b64(numbers.n.to_bytes(256, "big")),
                "e": b64(numbers.e.to_bytes(3, "big"))}

    def sign(self, header, claims):
        signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{signed}.{b64(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Provider:
    """An identity provider of the test's own: `endpoints` and `moved` say how it goes wrong, `asked` what it was asked."""

    def __init__(self, authority, name, canary):
        self.name, self.key, self.asked, self.answer = name, Key(), [], None
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked.append(self.path)
                self.tell(provider.get(self.path))

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                provider.asked.append(self.path)
                self.tell({"id_token": provider.answer() if provider.answer else "none"})

            def tell(self, document):
                moved = provider.moved.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(307 if moved else 200)
                if moved:
                    self.send_header("Location", moved)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.cert, authority.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.issuer = f"https://localhost:{self.server.server_address[1]}"
        self.endpoints = {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                          "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys"}
        self.moved = {}
        if name == "moved":
            self.moved = {"/.well-known/openid-configuration": f"{canary.at}/.well-known/openid-configuration"}
        elif name == "keys-elsewhere":
            self.endpoints["jwks_uri"] = f"{canary.at}/keys"
        elif name == "tokens-elsewhere":
            self.endpoints["token_endpoint"] = f"{canary.at}/token"
        elif name == "moving-tokens":
            self.moved = {"/token": f"{canary.at}/token"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, path):
        return {"keys": [self.key.jwk("its own")]} if path == "/keys" else self.endpoints

    def token(self, nonce, key=None, **header):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "leadglass", "sub": "ada", "nonce": nonce, "iat": now, "exp": now + 300,
                  "preferred_username": "ada", "groups": ["radiology"], "jti": secrets.token_hex(16)}
        return (key or self.key).sign({"alg": "RS256", "kid": "its own", **header}, claims)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An archive that trusts each of these providers, and the listener that they name."""
    folder = tmp_path_factory.mktemp("providers")
    authority, canary = Authority(folder / "ca"), Canary()
    providers = {name: Provider(authority, name, canary) for name in NAMES}
    (folder / "archive.toml").write_text("".join(f"""
[[oidc]]
name = "{provider.name}"
issuer = "{provider.issuer}"
client_id = "leadglass"
ca = "{authority.ca}"
[[oidc.rules]]
group = "radiology"
role = "reader"
""" for provider in providers.values()))
    archive = Archive(folder / "data", "--config", folder / "archive.toml").start()
    yield archive, providers, canary
    archive.stop()
    archive.remove()
    for provider in providers.values():
        provider.server.shutdown()


class Visit:
    """A browser's visit to a provider, as far as it comes."""

    def __init__(self, archive, provider):
        self.base, self.name = archive.https.replace("127.0.0.1", "localhost"), provider.name
        self.browser = requests.Session()
        self.browser.trust_env, self.browser.verify = False, str(archive.ca)
        self.begun = self.browser.get(f"{self.base}/login/oidc/{self.name}", allow_redirects=False, timeout=30)
        query = parse_qs(urlsplit(self.begun.headers.get("location", "")).query)
        self.state, self.nonce = (query.get(name, [""])[0] for name in ("state", "nonce"))

    def back(self):
        return self.browser.get(f"{self.base}/login/oidc/{self.name}/callback", params={"code": "a code", "state": self.state},
                                headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, allow_redirects=False, timeout=30)

    def is_signed_in(self):
        return SESSION in self.browser.cookies


def test_a_provider_that_names_other_hosts_is_not_followed_there(world):
    archive, providers, canary = world
    moved = Visit(archive, providers["moved"])
    assert moved.begun.status_code == 502 and providers["moved"].asked, moved.begun.text
    for name in ("keys-elsewhere", "tokens-elsewhere", "moving-tokens"):
        provider = providers[name]
        visit = Visit(archive, provider)
        assert visit.begun.status_code == 303, visit.begun.text
        provider.answer = lambda provider=provider, visit=visit: provider.token(visit.nonce)
        assert visit.back().status_code == 401 and not visit.is_signed_in(), name
        # As far as its own endpoints go it was asked: it is the other host's that was not.
        assert ("/token" in provider.asked) == (name != "tokens-elsewhere"), provider.asked
    assert canary.calls() == 0, "somebody was called whom an answer named"
    socket.create_connection(("127.0.0.1", int(canary.at.rpartition(":")[2]))).close()
    assert canary.calls() == 1, "a call would have been seen"


def test_a_stranger_s_keys_are_not_believed_nor_fetched(world):
    archive, providers, canary = world
    honest, stranger = providers["honest"], Key()
    forged = {
        "of the same name": lambda nonce: honest.token(nonce, stranger),
        "of another name": lambda nonce: honest.token(nonce, stranger, kid="a stranger's"),
        "fetched from where the token says": lambda nonce: honest.token(nonce, stranger, kid="a stranger's", jku=f"{canary.at}/keys"),
        "with a certificate from there": lambda nonce: honest.token(nonce, stranger, x5u=f"{canary.at}/certificate"),
        "in the token": lambda nonce: honest.token(nonce, stranger, jwk=stranger.jwk("its own")),
    }
    for name, token in forged.items():
        visit = Visit(archive, honest)
        honest.answer = lambda token=token, visit=visit: token(visit.nonce)
        asked = len(honest.asked)
        assert visit.back().status_code == 401 and not visit.is_signed_in(), name
        assert "/token" in honest.asked[asked:], name
    assert canary.calls() == 0
    visit = Visit(archive, honest)
    honest.answer = lambda: honest.token(visit.nonce)
    assert visit.back().status_code == 200 and visit.is_signed_in(), "its own key is believed"
    assert "/keys" in honest.asked
