"""Signing in by a real identity provider: npm's oidc-provider, over TLS, with a CA of the test's own."""

import base64
import hashlib
import re
import secrets
import shutil
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests
from pynetdicom import build_context

from leadglass import free_port, identity
from people import PROVIDER_MODULES, SESSION, Authority, Provider

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not PROVIDER_MODULES.exists(),
    reason="no node or no oidc-provider here: scripts/setup.sh interop installs them")

GROUPS = {"ada": ["radiology"], "root": ["pacs-admins"], "eve": ["cafeteria"]}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """An archive, and the provider it trusts."""
    from leadglass import Archive
    folder = tmp_path_factory.mktemp("oidc")
    authority, port, client_secret = Authority(folder / "ca"), free_port(), secrets.token_urlsafe(24)
    (folder / "secret").write_text(client_secret)
    (folder / "secret").chmod(0o600)
    (folder / "archive.toml").write_text(f"""
[[oidc]]
name = "hospital"
issuer = "https://localhost:{port}"
client_id = "leadglass"
client_secret_file = "{folder}/secret"
ca = "{authority.ca}"

[[oidc.rules]]
group = "radiology"
role = "reader"

[[oidc.rules]]
group = "pacs-admins"
role = "administrator"
""")
    archive = Archive(folder / "data", "--config", folder / "archive.toml").start()
    base = archive.https.replace("127.0.0.1", "localhost")
    provider = Provider(authority, port, "leadglass", client_secret, f"{base}/login/oidc/hospital/callback", GROUPS).start()
    yield archive, base, provider
    provider.stop()
    archive.stop()
    archive.remove()


class Person:
    """A browser: a jar for the archive, a jar for the provider, redirects followed by hand."""

    def __init__(self, hospital):
        self.archive, self.base, self.provider = hospital
        self.here, self.there = requests.Session(), requests.Session()
        self.here.trust_env = self.there.trust_env = False
        self.here.verify, self.there.verify = str(self.archive.ca), str(self.provider.authority.ca)

    def begin(self):
        """Where the archive sends the browser."""
        answer = self.here.get(f"{self.base}/login/oidc/hospital", allow_redirects=False, timeout=30)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def visit(self, address, name):
        """Signs in there as that person; where the provider sends the browser back."""
        answer = self.there.get(address, allow_redirects=False, timeout=30)
        for _ in range(20):
            if answer.is_redirect:
                address = urljoin(answer.url, answer.headers["location"])
                if address.startswith(self.base):
                    return address
                answer = self.there.get(address, allow_redirects=False, timeout=30)
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert form, answer.text[:2000]
            data = {"prompt": "login", "login": name, "password": "any"}
            answer = self.there.post(urljoin(answer.url, form[1]), data=data, allow_redirects=False, timeout=30)
        raise AssertionError("the provider goes round in circles")

    def back(self, address):
        return self.here.get(address, allow_redirects=False, timeout=30,
                             headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})

    def sign_in(self, name):
        return self.back(self.visit(self.begin(), name))

    def ask(self, path):
        return self.here.get(self.base + path, timeout=30, headers={"sec-fetch-site": "same-origin"})


def test_a_group_brings_its_right_and_none_brings_none(hospital):
    ada = Person(hospital)
    answer = ada.sign_in("ada")
    assert answer.status_code == 200 and SESSION in ada.here.cookies, answer.text
    account = ada.ask("/account/v1").json()
    assert account["name"] == "ada@hospital" and "reader" in account["rights"][0]
    assert ada.ask("/dicom-web/studies?limit=1").status_code in (200, 204)
    assert ada.ask("/admin/v1/users").status_code == 403
    again = Person(hospital)
    again.sign_in("ada")
    assert again.ask("/account/v1").json()["name"] == "ada@hospital", "the same user"
    eve = Person(hospital)
    assert eve.sign_in("eve").status_code == 401 and SESSION not in eve.here.cookies


def test_an_administrator_by_one_factor_elsewhere_needs_one_here(hospital):
    root = Person(hospital)
    root.sign_in("root")
    assert root.ask("/account/v1").json()["second_factor_due"]
    assert root.ask("/admin/v1/users").status_code == 403


def test_what_is_asked_for_is_bound_to_this_visit(hospital):
    asked = parse_qs(urlsplit(Person(hospital).begin()).query)
    assert asked["response_type"] == ["code"] and asked["code_challenge_method"] == ["S256"]
    for drawn in ("state", "nonce", "code_challenge"):
        assert len(asked[drawn][0]) == 43, drawn
    other = parse_qs(urlsplit(Person(hospital).begin()).query)
    assert all(asked[drawn] != other[drawn] for drawn in ("state", "nonce", "code_challenge"))


def test_replayed_stolen_and_forged_answers_are_refused(hospital):
    ada = Person(hospital)
    address = ada.visit(ada.begin(), "ada")
    query = parse_qs(urlsplit(address).query)
    bare = address.split("?")[0]

    def refused(person, **changes):
        pairs = {**{key: value[0] for key, value in query.items()}, **changes}
        answer = person.back(requests.Request("GET", bare, params={k: v for k, v in pairs.items() if v is not None}).prepare().url)
        assert answer.status_code == 401, answer.text
        assert SESSION not in person.here.cookies

    def begun():
        person = Person(hospital)
        return person, parse_qs(urlsplit(person.begin()).query)["state"][0]

    refused(Person(hospital))  # without the cookie of the visit
    refused(begun()[0])  # another browser's visit
    person, state = begun()
    refused(person, state=state)  # a code of another visit: another verifier
    for changes in ({"state": None}, {"state": ""}, {"code": None}, {"iss": "https://evil.example"}, {"error": "x", "code": None}):
        person, state = begun()
        refused(person, **{"state": state, "code": "guessed", **changes})
    person, state = begun()
    refused(person, state=state, code="guessed")
    # A code of ada's own visit, once. The one above was shown with another verifier: it is withdrawn.
    address = ada.visit(ada.begin(), "ada")
    assert ada.back(address).status_code == 200
    before = ada.here.cookies.get(SESSION)
    assert ada.back(address).status_code == 401, "replayed"
    assert ada.here.cookies.get(SESSION) == before


def id_token(hospital, name):
    """What a workstation gets of the provider for whoever signed in at it: an ID token."""
    person, settings = Person(hospital), hospital[2].settings
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode({"client_id": settings["client_id"], "redirect_uri": settings["redirect_uri"], "response_type": "code",
                       "scope": "openid profile groups", "code_challenge": challenge, "code_challenge_method": "S256",
                       "state": secrets.token_urlsafe(16)})
    back = parse_qs(urlsplit(person.visit(f"{settings['issuer']}/auth?{query}", name)).query)
    answer = person.there.post(f"{settings['issuer']}/token", timeout=30, auth=(settings["client_id"], settings["client_secret"]), data={
        "grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": settings["redirect_uri"], "code_verifier": verifier})
    assert answer.status_code == 200, answer.text
    return answer.json()["id_token"]


def test_a_token_is_a_user_identity_of_type_5(hospital):
    """Rights are those of peer and person together; a token is the first peer's that shows it."""
    archive = hospital[0]
    verification, find, image = (build_context(uid) for uid in (
        "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.1.2"))
    first, second = archive.add_peer("READING1", ["store", "find"]), archive.add_peer("READING2", ["store", "find"])

    def granted(peer, token):
        association = archive.associate([verification, find, image], peer=peer, ext_neg=identity(5, token.encode()))
        if not association.is_established:
            return set()
        accepted = {context.abstract_syntax for context in association.accepted_contexts}
        association.release()
        return accepted

    assert Person(hospital).sign_in("ada").status_code == 200, "whoever never signed in is nobody"
    token = id_token(hospital, "ada")
    assert granted(first, token) == {verification.abstract_syntax, find.abstract_syntax}, "a reader does not store, whatever the peer may"
    assert granted(first, token), "again, by the same peer"
    assert not granted(second, token), "another peer's"
    header, payload, signature = id_token(hospital, "ada").split(".")
    swapped = "A" if signature[9] != "A" else "B"
    assert not granted(second, ".".join((header, payload, signature[:9] + swapped + signature[10:])))
    assert not granted(second, f"{header}.{payload}.")
    assert not granted(second, id_token(hospital, "eve")), "of nobody here"
    assert granted(second, ".".join((header, payload, signature))), "what was forged had been a good one"
    entries = archive.session().get(f"{archive.https}/admin/v1/trail", params={"limit": 1000}).json()["entries"]
    assert any("READING1 (ada@hospital)" in str(entry) for entry in entries)


def test_rotated_keys_are_fetched(hospital):
    archive, base, provider = hospital
    provider.stop()
    provider.start()
    assert Person(hospital).sign_in("ada").status_code == 200, "after a rotation the keys are fetched anew"


def test_a_provider_with_another_certificate_is_not_believed(hospital, tmp_path):
    archive, base, provider = hospital
    provider.stop()
    settings = dict(provider.settings)
    evil = Authority(tmp_path / "evil")
    impostor = Provider(evil, settings["port"], settings["client_id"], settings["client_secret"], settings["redirect_uri"], GROUPS)
    impostor.start()
    try:
        ada = Person(hospital)
        ada.there.verify = str(evil.ca)
        address = ada.begin()  # known from before; it is the exchange that goes to the impostor
        answer = ada.back(ada.visit(address, "ada"))
        assert answer.status_code in (401, 502) and SESSION not in ada.here.cookies
    finally:
        impostor.stop()
        provider.start()
