"""Random accesses by web and DIMSE against an oracle: who reaches what through the real doors.

The oracle is written here once more, from docs/RIGHTS.md alone: rights add up, what two proofs share counts, what is
restricted needs a clearance, own patients, an emergency, a share and a right that ends are as good as any other. Tokens and people who signed in ask over
DICOMweb; peers, some with a token's user on them, by pynetdicom. Rights, verbs, labels, restrictions, emergencies and
shares change all the while, under sessions and associations that live on.

1,500 accesses; 100,000 with LEADGLASS_FULL=1. The same way each time; LEADGLASS_SEED tries another.
"""

import datetime
import os
import random
import time
import unicodedata

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET

from leadglass import identity
from people import PASSPHRASE, Browser, enrol
from test_dicomweb import multipart, written

ACCESSES = 100_000 if os.environ.get("LEADGLASS_FULL") else 1_500
SEED = int(os.environ.get("LEADGLASS_SEED", "4"))
CALM = 50  # accesses between two changes
STUDIES, PATIENTS, NUMBERS = 24, 8, 3
RESTRICTIONS = ["vip", "staff", "legal-hold", "consent-withdrawn"]
LABELS = ["trial", "teaching"]
ROLES = {"viewer": {"find", "fetch"}, "reader": {"find", "fetch", "share"}, "sender": {"store"}, "emergency": {"emergency"}}
VERBS = {"store": "store", "find": "find", "retrieve": "fetch"}
CONTEXTS = [build_context(FIND), build_context(GET), build_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)]
SUCCESS, PENDING = 0x0000, (0xFF00, 0xFF01)
ANSWERED, CREATED, NOT_ALLOWED, NOT_THERE, FULL_UP = 200, 201, 403, 404, 503


class Study:
    """A study of one series, whose instances are alike in all that a scope can ask for."""

    def __init__(self, number):
        self.number = number
        self.uid, self.series = generate_uid(), generate_uid()
        self.instances = [generate_uid() for _ in range(NUMBERS)]
        self.stored, self.labels, self.restrictions = set(), set(), set()
        self.values = {
            "patient_ids": f"P{number % PATIENTS}", "modalities": ["CT", "MR", "US"][number % 3],
            "institutions": ["North", "South"][number % 2], "departments": ["", "Radiology", "Cardiology"][number // 3 % 3],
            "referring_physicians": ["", "Buc^Jerome", "Smith^John"][number // 2 % 3],
            "reading_physicians": ["Smith^John", "", "Buc^Jerome"][number // 4 % 3], "studies": str(self.uid),
        }

    def instance(self, at):
        values, sample = self.values, Dataset()
        sample.SOPClassUID, sample.SOPInstanceUID = SecondaryCaptureImageStorage, self.instances[at]
        sample.StudyInstanceUID, sample.SeriesInstanceUID = self.uid, self.series
        sample.PatientID, sample.PatientName = values["patient_ids"], f"Patient^{values['patient_ids']}"
        sample.PatientBirthDate, sample.PatientSex, sample.StudyDate, sample.StudyTime = "", "", "20260101", "0800"
        sample.AccessionNumber, sample.StudyID, sample.SeriesNumber, sample.InstanceNumber = "", "", 1, at + 1
        sample.Modality, sample.InstitutionName = values["modalities"], values["institutions"]
        sample.InstitutionalDepartmentName = values["departments"]
        sample.ReferringPhysicianName = values["referring_physicians"]
        sample.NameOfPhysiciansReadingStudy = values["reading_physicians"]
        sample.Rows = sample.Columns = 8
        sample.BitsAllocated, sample.BitsStored, sample.HighBit, sample.PixelRepresentation = 8, 8, 7, 0
        sample.SamplesPerPixel, sample.PhotometricInterpretation, sample.PixelData = 1, "MONOCHROME2", bytes(64)
        sample["PixelData"].VR = "OB"
        sample.file_meta = FileMetaDataset()
        sample.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        sample.file_meta.MediaStorageSOPClassUID = sample.SOPClassUID
        sample.file_meta.MediaStorageSOPInstanceUID = sample.SOPInstanceUID
        return sample


def folded(name):
    """As searches compare names: neither case nor accents."""
    plain = unicodedata.normalize("NFD", name)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


class Right:
    def __init__(self, acts, scope, by=None, id=None, until=None):
        self.acts, self.scope, self.by, self.id, self.until = acts, scope, by, id, until

    def allows(self, act):
        return act in self.acts and (self.until is None or time.time() < self.until)

    def reaches(self, study, guarded_by):
        scope = self.scope
        if any(one not in scope.get("cleared", ()) for one in guarded_by):
            return False
        if scope.get("everything"):
            return True
        for key, value in study.values.items():
            wanted = scope.get(key)
            same = folded if key.endswith("physicians") else str
            if wanted and same(value) not in map(same, wanted):
                return False
        return not scope.get("labels") or bool(study.labels & set(scope["labels"]))


class Somebody:
    """A caller: for each thing they proved, the rights that it brings."""

    def __init__(self, name, *sides):
        self.name, self.sides = name, list(sides)
        self.web = self.peer = self.association = None

    def may(self, act):
        return all(any(right.allows(act) for right in side) for side in self.sides)

    def reaches(self, world, act, study):
        guarded_by = set() if act == "store" else study.restrictions | world.patients[study.values["patient_ids"]]
        return all(any(right.allows(act) and right.reaches(study, guarded_by) for right in side) for side in self.sides)

    def changed_since(self, begun):
        """Whether a right ended meanwhile: then either answer is right."""
        return any(right.until and begun <= right.until <= time.time() for side in self.sides for right in side)


class World:
    def __init__(self, archive):
        self.archive, self.dice = archive, random.Random(SEED)
        self.administrator = archive.session()
        self.studies = [Study(number) for number in range(STUDIES)]
        self.patients = {f"P{number}": set() for number in range(PATIENTS)}
        for study in self.studies:
            assert self.stow(self.administrator, study, 0)
        self.callers = [self.token(f"token{n}") for n in range(8)]
        self.people = [self.person(f"person{n}") for n in range(8)]
        self.peers = [self.a_peer(f"PEER{n}", with_user=n % 2) for n in range(10)]
        self.callers += self.people + self.peers
        self.seen = {}

    # Who there is

    def ask(self, method, path, body=None):
        answer = self.administrator.request(method, f"{self.archive.https}/admin/v1{path}", json=body, timeout=60)
        assert answer.ok, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def some(self, values):
        return [value for value in values if self.dice.random() < 0.5]

    def scope(self):
        cleared = [one for one in RESTRICTIONS if self.dice.random() < 0.5]
        scope = {}
        if self.dice.random() < 0.7:
            physicians = ["BUC^Jérôme", "smith^john"]
            values = {
                "modalities": ["CT", "MR", "US"], "institutions": ["North", "South"], "departments": ["Radiology", "Cardiology"],
                "referring_physicians": physicians, "reading_physicians": physicians,
                "patient_ids": [f"P{number}" for number in range(5)], "labels": LABELS,
                "studies": [str(self.dice.choice(self.studies).uid) for _ in range(6)],
            }
            scope = {key: self.some(listed) for key, listed in values.items() if self.dice.random() < 0.2}
            scope = {key: listed for key, listed in scope.items() if listed}
        return {**(scope or {"everything": True}), "cleared": cleared}

    def whole(self, scope):
        empty = {key: [] for key in ("modalities", "institutions", "patient_ids", "studies")}
        return {"everything": False, **empty, **scope}

    def token(self, name):
        somebody, secret = self.made_token(name)
        somebody.web = self.archive.session(secret)
        return somebody

    def made_token(self, name):
        role, scope = self.dice.choice(["viewer", "reader", "sender"]), self.scope()
        made = self.ask("POST", "/tokens", {"name": name, "role": role, "lifetime_days": 1, "scope": self.whole(scope)})
        return Somebody(name, [Right(ROLES[role], scope)]), made["token"]

    def rights(self):
        """Rights of a person and patients of their own: as they are given, and as the oracle knows them."""
        given, known, patients = [], [], []
        for _ in range(self.dice.randint(1, 3)):
            role, scope, until = self.dice.choice(["viewer", "reader", "sender", "emergency"]), self.scope(), None
            if role == "emergency":
                scope = {"everything": True, "cleared": []}
            elif self.dice.random() < 0.3:
                until = time.time() + self.dice.choice([2, 3600])
            right = {"role": role, "scope": self.whole(scope)}
            if until:
                right["until"] = datetime.datetime.fromtimestamp(until, datetime.UTC).isoformat()
            given.append(right)
            known.append(Right(ROLES[role], scope, until=until))
        if self.dice.random() < 0.3:
            patients = sorted({f"P{self.dice.randrange(PATIENTS)}" for _ in range(2)})
            known.append(Right(ROLES["viewer"], {"patient_ids": patients}))
        return {"rights": given, "patients": patients}, known

    def person(self, name):
        given, known = self.rights()
        invitation = self.ask("POST", "/users", {"name": name, **given})["invitation"]
        somebody = Somebody(name, known)
        somebody.web = Browser(self.archive)
        answer = somebody.web.ask("POST", "/login/invitation",
                                  {"name": name, "invitation": invitation, "passphrase": PASSPHRASE})
        assert answer.status_code == 200, answer.text
        _, somebody.codes = enrol(somebody.web)
        return somebody

    def sign_in_again(self, somebody):
        """Who has other rights is signed out everywhere."""
        assert somebody.web.get(f"{self.archive.dicomweb}/studies", timeout=60).status_code == 401
        somebody.web = Browser(self.archive)
        assert somebody.web.sign_in(somebody.name).status_code == 200
        assert somebody.web.ask("POST", "/login/code", {"code": somebody.codes.pop()}).status_code == 200
        if not somebody.codes:
            somebody.codes = somebody.web.ask("POST", "/account/v1/recovery-codes").json()["recovery_codes"]

    def a_peer(self, ae, with_user):
        peer = self.archive.add_peer(ae, ["store"])
        somebody = Somebody(ae, [])
        somebody.peer, somebody.ext_neg = peer, []
        if with_user:
            user, secret = self.made_token(f"at-{ae}")
            somebody.sides += user.sides
            somebody.ext_neg = identity(2, f"at-{ae}".encode(), secret.encode())
        listed = next(one for one in self.ask("GET", "/peers") if one["ae"] == ae)
        somebody.sha256 = listed["certificate_sha256"]
        self.change_peer(somebody)
        return somebody

    # What changes

    def change(self):
        what = self.dice.randrange(5)
        if what == 0:
            self.change_peer(self.dice.choice(self.peers))
        elif what == 1:
            self.change_person(self.dice.choice(self.people))
        elif what == 2:
            self.emergency(self.dice.choice(self.people), f"P{self.dice.randrange(PATIENTS)}")
        elif what == 3:
            self.share(self.dice.choice(self.people), self.dice.choice(self.people), self.dice.choice(self.studies))
        else:
            self.end_one()
        self.mark()

    def change_peer(self, somebody):
        verbs, scope = [verb for verb in VERBS if self.dice.random() < 0.7], self.scope()
        self.ask("POST", "/peers", {"ae": somebody.name, "verbs": verbs, "scope": self.whole(scope),
                                    "certificate": {"sha256": somebody.sha256}})
        somebody.sides[0] = [Right({VERBS[verb] for verb in verbs}, scope)]
        if self.dice.random() < 0.5:
            self.hang_up(somebody)

    def change_person(self, somebody):
        given, known = self.rights()
        self.ask("PATCH", f"/users/{somebody.name}", given)
        somebody.sides[0] = known + [right for right in somebody.sides[0] if right.id]
        self.sign_in_again(somebody)
        if not somebody.may("emergency"):
            self.forget(lambda right, holder: holder is somebody and right.by is None)

    def emergency(self, somebody, patient):
        body = {"patient_id": patient, "reason": "nobody else is on call", "minutes": 60}
        answer = somebody.web.ask("POST", "/admin/v1/emergencies", body)
        if answer.status_code == FULL_UP:
            return
        expected = CREATED if somebody.may("emergency") else NOT_ALLOWED
        assert answer.status_code == expected, f"{somebody.name} takes {patient}: {answer.text}"
        if expected == CREATED:
            scope = {"patient_ids": [patient], "cleared": RESTRICTIONS}
            somebody.sides[0].append(Right(ROLES["viewer"], scope, id=answer.json()["id"]))

    def share(self, by, to, study):
        begun = time.time()
        answer = by.web.ask("POST", "/admin/v1/shares", {"study": str(study.uid), "with": to.name, "hours": 2})
        if by is to or answer.status_code == FULL_UP:
            return
        expected = CREATED if by.reaches(self, "share", study) else NOT_THERE if by.may("share") else NOT_ALLOWED
        said = f"{by.name} shares {study.number} with {to.name}: {answer.text}"
        assert answer.status_code == expected or by.changed_since(begun), said
        if answer.status_code == CREATED:
            to.sides[0].append(Right(ROLES["viewer"], {"studies": [str(study.uid)]}, by=by, id=answer.json()["id"]))

    def end_one(self):
        lasting = [right for person in self.people for right in person.sides[0] if right.id]
        if lasting:
            ended = self.dice.choice(lasting)
            self.ask("DELETE", f"/grants/{ended.id}")
            self.forget(lambda right, _: right is ended)

    def forget(self, which):
        for person in self.people:
            person.sides[0] = [right for right in person.sides[0] if not right.id or not which(right, person)]

    def mark(self):
        restrictions = {one for one in RESTRICTIONS if self.dice.random() < 0.2}
        if self.dice.random() < 0.3:
            patient = f"P{self.dice.randrange(PATIENTS)}"
            self.ask("PUT", f"/marks?patient={patient}", {"restrictions": sorted(restrictions)})
            self.patients[patient] = restrictions
        else:
            study, labels = self.dice.choice(self.studies), set(self.some(LABELS))
            self.ask("PUT", f"/marks?study={study.uid}", {"labels": sorted(labels), "restrictions": sorted(restrictions)})
            study.labels, study.restrictions = labels, restrictions

    # One access

    def access(self):
        somebody, study = self.dice.choice(self.callers), self.dice.choice(self.studies)
        act = self.dice.choices(["find", "list", "fetch", "store"], [4, 1, 4, 1])[0]
        by, begun = "web" if somebody.web else "dimse", time.time()
        said, expected = getattr(self, f"{act}_by_{by}")(somebody, study)
        if somebody.changed_since(begun):
            return
        rights = [[(sorted(right.acts), right.scope) for right in side] for side in somebody.sides]
        assert said == expected, f"{act} of study {study.number} by {somebody.name} with {rights}: {said}, not {expected}"
        kind = (act, by, bool(expected) and expected not in (NOT_ALLOWED, NOT_THERE))
        self.seen[kind] = self.seen.get(kind, 0) + 1

    def all_reached(self, somebody):
        return {str(study.uid) for study in self.studies if somebody.reaches(self, "find", study)}

    def rows(self, somebody, path):
        answer = somebody.web.get(f"{self.archive.dicomweb}{path}", headers={"accept": "application/dicom+json"}, timeout=60)
        if answer.status_code == NOT_ALLOWED:
            return NOT_ALLOWED
        assert answer.status_code in (200, 204), f"{somebody.name} {path}: {answer.status_code} {answer.text}"
        return {row["0020000D"]["Value"][0] for row in answer.json()} if answer.content else set()

    def find_by_web(self, somebody, study):
        level = self.dice.choice([f"/studies?StudyInstanceUID={study.uid}", f"/studies/{study.uid}/series",
                                  f"/instances?StudyInstanceUID={study.uid}", f"/studies/{study.uid}/instances"])
        found = {str(study.uid)} if somebody.reaches(self, "find", study) else set()
        return self.rows(somebody, level), found if somebody.may("find") else NOT_ALLOWED

    def list_by_web(self, somebody, _):
        return self.rows(somebody, "/studies"), self.all_reached(somebody) if somebody.may("find") else NOT_ALLOWED

    def fetch_by_web(self, somebody, study):
        at = self.dice.choice(sorted(study.stored))
        instance = f"/series/{study.series}/instances/{study.instances[at]}"
        what = self.dice.choice(["", "/metadata", instance, instance + "/metadata", instance + "/frames/1",
                                 f"/series/{study.series}/metadata", instance + "/bulkdata/7FE00010"])
        accept = "application/dicom+json" if what.endswith("metadata") else 'multipart/related; type="application/dicom"'
        if "/frames" in what or "/bulkdata" in what:
            accept = 'multipart/related; type="application/octet-stream"'
        answer = somebody.web.get(f"{self.archive.dicomweb}/studies/{study.uid}{what}", headers={"accept": accept}, timeout=60)
        reached = ANSWERED if somebody.reaches(self, "fetch", study) else NOT_THERE
        return answer.status_code, reached

    def store_by_web(self, somebody, study):
        return self.stow(somebody.web, study, self.dice.randrange(NUMBERS)), somebody.reaches(self, "store", study)

    def stow(self, session, study, at):
        body, kind = multipart([written(study.instance(at))])
        answer = session.post(f"{self.archive.dicomweb}/studies", data=body,
                              headers={"content-type": kind, "accept": "application/dicom+json"}, timeout=60)
        assert answer.status_code in (200, 403, 409), f"{answer.status_code} {answer.text}"
        if answer.status_code == 200:
            study.stored.add(at)
        return answer.status_code == 200

    def hang_up(self, somebody):
        if somebody.association and somebody.association.is_established:
            somebody.association.release()
        somebody.association = None

    def associated(self, somebody, sop_class):
        """Its association, if that class was accepted on it; what was refused before is asked for anew."""
        for _ in range(2):
            one = somebody.association
            contexts = one.accepted_contexts if one and one.is_established else []
            if any(context.abstract_syntax == sop_class and context.as_scu for context in contexts):
                return one
            self.hang_up(somebody)
            somebody.got = []
            taken = [(evt.EVT_C_STORE, lambda event: somebody.got.append(event.request.AffectedSOPInstanceUID) or SUCCESS)]
            role = build_role(SecondaryCaptureImageStorage, scp_role=True, scu_role=True)
            somebody.association = self.archive.associate(CONTEXTS, peer=somebody.peer, evt_handlers=taken,
                                                          ext_neg=[role, *somebody.ext_neg])
        return None

    def found_by_dimse(self, somebody, query):
        association = self.associated(somebody, FIND)
        answers = [(status.get("Status"), row) for status, row in association.send_c_find(query, FIND)] if association else []
        if not answers or answers[-1][0] != SUCCESS:
            return NOT_ALLOWED
        return {row.StudyInstanceUID for status, row in answers if status in PENDING}

    def find_by_dimse(self, somebody, study):
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study.uid
        if self.dice.random() < 0.5:
            query.QueryRetrieveLevel, query.SeriesInstanceUID = "SERIES", ""
        found = {study.uid} if somebody.reaches(self, "find", study) else set()
        return self.found_by_dimse(somebody, query), found if somebody.may("find") else NOT_ALLOWED

    def list_by_dimse(self, somebody, _):
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ""
        return self.found_by_dimse(somebody, query), self.all_reached(somebody) if somebody.may("find") else NOT_ALLOWED

    def fetch_by_dimse(self, somebody, study):
        query, came = Dataset(), set()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study.uid
        association = self.associated(somebody, GET)
        if association:
            somebody.got.clear()
            list(association.send_c_get(query, GET))
            came = set(somebody.got)
        reached = somebody.may("fetch") and somebody.reaches(self, "fetch", study)
        return came, {study.instances[at] for at in study.stored} if reached else set()

    def store_by_dimse(self, somebody, study):
        at, stored = self.dice.randrange(NUMBERS), False
        association = self.associated(somebody, SecondaryCaptureImageStorage)
        if association:
            stored = association.send_c_store(study.instance(at)).get("Status") == SUCCESS
        if stored:
            study.stored.add(at)
        return stored, somebody.reaches(self, "store", study)


def test_random_accesses_by_web_and_dimse_end_as_the_oracle_says(fresh):
    world = World(fresh())
    for access in range(ACCESSES):
        if access % CALM == CALM - 1:
            world.change()
        world.access()
    for somebody in world.peers:
        world.hang_up(somebody)
    print(f"{ACCESSES} accesses by web and DIMSE: 0 disagreements with the oracle")
    for act in ("find", "list", "fetch", "store"):
        for by in ("web", "dimse"):
            assert world.seen.get((act, by, True)) and world.seen.get((act, by, False)), f"{act} by {by}: {world.seen}"
