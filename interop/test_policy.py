"""Random accesses by web and DIMSE against an oracle: who reaches what through the real doors.

The oracle is written here once more, from docs/RIGHTS.md alone: rights add up, what two proofs share counts, what is
restricted needs a clearance, own patients, an emergency, a share and a right that ends are as good as any other. Tokens
and people who signed in ask over DICOMweb; peers, some with a token's user on them, by pynetdicom. Rights, verbs, labels, restrictions, emergencies and
shares change all the while, under sessions and associations that live on.

2,000 accesses; 100,000 with LEADGLASS_FULL=1. Nearly the same way each time (some rights end by the clock); LEADGLASS_SEED
tries another.
"""

import datetime
import os
import random
import time
import unicodedata
from collections import Counter

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET

from leadglass import identity
from people import PASSPHRASE, Browser, enrol
from test_dicomweb import multipart, written

ACCESSES = 100_000 if os.environ.get("LEADGLASS_FULL") else 2_000
SEED = int(os.environ.get("LEADGLASS_SEED", "4"))
CALM = 100 if ACCESSES > 10_000 else 20  # accesses between two changes
STUDIES, PATIENTS, NUMBERS = 24, 8, 3
RESTRICTIONS = ["vip", "staff", "legal-hold", "consent-withdrawn"]
LABELS = ["trial", "teaching"]
KEYS = {"STUDY": "0020000D", "SERIES": "0020000E", "IMAGE": "00080018"}
KEYWORDS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
ROLES = {"viewer": {"find", "fetch"}, "reader": {"find", "fetch", "share"}, "sender": {"store"}, "emergency": {"emergency"}}
VERBS = {"store": "store", "find": "find", "retrieve": "fetch"}
CONTEXTS = [build_context(FIND), build_context(GET), build_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)]
SUCCESS, PENDING, NOT_AUTHORISED = 0x0000, (0xFF00, 0xFF01), 0x0124
ANSWERED, CREATED, NOT_ALLOWED, NOT_THERE, FULL_UP = 200, 201, 403, 404, 507
MOST_EMERGENCIES = 5  # of one person at once


class Study:
    """A study of several series of one instance each, whose modalities differ: a scope may reach some of them alone."""

    def __init__(self, number):
        self.number, self.uid = number, self.made("study", number)
        self.series = [self.made("series", number, at) for at in range(NUMBERS)]
        self.instances = [self.made("instance", number, at) for at in range(NUMBERS)]
        self.stored, self.labels, self.restrictions = set(), set(), set()
        self.values = {
            "patient_ids": f"P{number % PATIENTS}",
            "institutions": ["North", "South"][number % 2], "departments": ["", "Radiology", "Cardiology"][number // 3 % 3],
            "referring_physicians": ["", "Buc^Jerome", "Smith^John"][number // 2 % 3],
            "reading_physicians": ["Smith^John", "", "Buc^Jerome"][number // 4 % 3], "studies": str(self.uid),
        }

    @staticmethod
    def made(*what):
        return generate_uid(entropy_srcs=[str(SEED), *map(str, what)])

    def values_of(self, at):
        return {**self.values, "modalities": ["CT", "MR", "US"][(self.number + at // 2) % 3]}

    def instance(self, at):
        values, sample = self.values_of(at), Dataset()
        sample.SOPClassUID, sample.SOPInstanceUID = SecondaryCaptureImageStorage, self.instances[at]
        sample.StudyInstanceUID, sample.SeriesInstanceUID = self.uid, self.series[at]
        sample.PatientID, sample.PatientName = values["patient_ids"], f"Patient^{values['patient_ids']}"
        sample.PatientBirthDate, sample.PatientSex, sample.StudyDate, sample.StudyTime = "", "", "20260101", "0800"
        sample.AccessionNumber, sample.StudyID, sample.SeriesNumber, sample.InstanceNumber = "", "", at + 1, 1
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

    def named_in(self, text):
        """Which of its instances that text names."""
        return {at for at in range(NUMBERS) if self.instances[at].encode() in text}


def folded(name):
    """As searches compare names: neither case nor accents."""
    plain = unicodedata.normalize("NFD", name)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


class Right:
    """`kind` is how it came about: a role, patients of one's own, a share or an emergency."""

    def __init__(self, kind, acts, scope, until=None, id=None):
        self.kind, self.acts, self.scope, self.until, self.id = kind, acts, scope, until, id

    def lives(self):
        return self.until is None or time.time() < self.until

    def allows(self, act):
        return act in self.acts and self.lives()

    def reaches(self, study, at, guarded_by):
        scope = self.scope
        if any(one not in scope.get("cleared", ()) for one in guarded_by):
            return False
        if scope.get("everything"):
            return True
        for key, value in study.values_of(at).items():
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

    def reaches(self, world, act, study, at, without=None):
        guarded_by = set() if act == "store" else study.restrictions | world.patients[study.values["patient_ids"]]
        return all(any(right.allows(act) and right.kind != without and right.reaches(study, at, guarded_by) for right in side)
                   for side in self.sides)

    def reached(self, world, act, study, without=None):
        return {at for at in study.stored if self.reaches(world, act, study, at, without)}

    def lasting(self):
        """Their shares and emergencies that live."""
        return [right for right in self.sides[0] if right.id and right.lives()] if self.sides else []

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
            assert self.stow(self.administrator, study, 0) and self.stow(self.administrator, study, 2)
        self.callers = [self.token(f"token{n}") for n in range(8)]
        self.people = [self.person(f"person{n}") for n in range(8)]
        self.peers = [self.a_peer(f"PEER{n}", with_user=n % 2) for n in range(10)]
        self.callers += self.people + self.peers
        # Accesses by act, door and outcome; those that a kind of right alone decided; and who held what that is over.
        self.seen, self.decided, self.over = Counter(), Counter(), []

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
            scope = {key: self.some(listed) for key, listed in values.items()
                     if self.dice.random() < (0.5 if key == "modalities" else 0.15)}
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
        return Somebody(name, [Right("role", ROLES[role], scope)]), made["token"]

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
            known.append(Right("role", ROLES[role], scope, until))
        if self.dice.random() < 0.7:
            patients = sorted({f"P{self.dice.randrange(PATIENTS)}" for _ in range(3)})
            known.append(Right("own", ROLES["viewer"], {"patient_ids": patients}))
        return {"rights": given, "patients": patients}, known

    def person(self, name):
        given, known = self.rights()
        invitation = self.ask("POST", "/users", {"name": name, **given})["invitation"]
        somebody = Somebody(name, known)
        somebody.given = given
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
        what = self.dice.choice([0, 1, 2, 2, 3, 3, 3, 4])
        if what == 0:
            self.change_peer(self.dice.choice(self.peers))
        elif what == 1:
            self.change_person(self.dice.choice(self.people))
        elif what == 2:
            self.emergency(self.dice.choice(self.people), f"P{self.dice.randrange(PATIENTS)}")
        elif what == 3:
            self.share(*self.to_share())
        else:
            self.end_one()
        self.mark()

    def change_peer(self, somebody):
        verbs, scope = [verb for verb in VERBS if self.dice.random() < 0.7], self.scope()
        self.ask("POST", "/peers", {"ae": somebody.name, "verbs": verbs, "scope": self.whole(scope),
                                    "certificate": {"sha256": somebody.sha256}})
        somebody.sides[0] = [Right("role", {VERBS[verb] for verb in verbs}, scope)]
        if self.dice.random() < 0.5:
            self.hang_up(somebody)

    def change_person(self, somebody):
        given, known = self.rights()
        if given == somebody.given:
            return
        somebody.given = given
        self.ask("PATCH", f"/users/{somebody.name}", given)
        somebody.sides[0] = known + [right for right in somebody.sides[0] if right.id]
        self.sign_in_again(somebody)
        if not somebody.may("emergency"):
            self.forget(lambda right, holder: holder is somebody and right.kind == "emergency")

    def emergency(self, somebody, patient):
        body = {"patient_id": patient, "reason": "nobody else is on call", "minutes": 60}
        answer, until = somebody.web.ask("POST", "/admin/v1/emergencies", body), time.time() + 3600
        taken = [right for right in somebody.lasting() if right.kind == "emergency"]
        allowed = FULL_UP if len(taken) >= MOST_EMERGENCIES else CREATED
        expected = allowed if somebody.may("emergency") else NOT_ALLOWED
        assert answer.status_code == expected, f"{somebody.name} takes {patient}: {answer.text}"
        if expected == CREATED:
            scope = {"patient_ids": [patient], "cleared": RESTRICTIONS}
            somebody.sides[0].append(Right("emergency", ROLES["viewer"], scope, until, answer.json()["id"]))

    def to_share(self):
        """Who shares what with whom: mostly somebody who can."""
        by, to, study = self.dice.choice(self.people), self.dice.choice(self.people), self.dice.choice(self.studies)
        can = [(one, whole) for one in self.people for whole in self.studies if one.reached(self, "share", whole) == whole.stored]
        if can and self.dice.random() < 0.7:
            by, study = self.dice.choice(can)
        return by, to, study

    def share(self, by, to, study):
        begun = time.time()
        answer = by.web.ask("POST", "/admin/v1/shares", {"study": str(study.uid), "with": to.name, "hours": 2})
        whole = by.reached(self, "share", study) == study.stored
        expected = [CREATED] if whole else [NOT_THERE] if by.may("share") else [NOT_ALLOWED]
        if by is to:
            expected = [400, NOT_THERE, NOT_ALLOWED]
        said = f"{by.name} shares {study.number} with {to.name}: {answer.text}"
        assert answer.status_code in expected or by.changed_since(begun), said
        if answer.status_code == CREATED:
            scope = {"studies": [str(study.uid)]}
            to.sides[0].append(Right("share", ROLES["viewer"], scope, begun + 7200, answer.json()["id"]))

    def end_one(self):
        lasting = [right for person in self.people for right in person.lasting() if right.until > time.time() + 60]
        if lasting:
            ended = self.dice.choice(lasting)
            self.ask("DELETE", f"/grants/{ended.id}")
            self.forget(lambda right, _: right is ended)

    def forget(self, which):
        for person in self.people:
            gone = [right for right in person.sides[0] if right.id and which(right, person)]
            person.sides[0] = [right for right in person.sides[0] if right not in gone]
            self.over += [(person, self.one_of(right)) for right in gone]

    def one_of(self, right):
        """A study that a share or an emergency is about."""
        about = [study for study in self.studies if right.reaches(study, 0, ())]
        return self.dice.choice(about)

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

    def drawn(self):
        """Somebody and a study: at times one that they hold for a time, or held until lately."""
        if self.over and self.dice.random() < 0.05:
            self.seen["over"] += 1
            return self.over.pop()
        somebody, study = self.dice.choice(self.callers), self.dice.choice(self.studies)
        lasting = somebody.lasting()
        if lasting and self.dice.random() < 0.5:
            study = self.one_of(self.dice.choice(lasting))
        return somebody, study

    def access(self):
        somebody, study = self.drawn()
        act = self.dice.choices(["find", "list", "fetch", "store"], [4, 1, 4, 1])[0]
        by, begun = "web" if somebody.web else "dimse", time.time()
        said, expected = getattr(self, f"{act}_by_{by}")(somebody, study)
        if somebody.changed_since(begun):
            return
        rights = [[(right.kind, sorted(right.acts), right.scope) for right in side] for side in somebody.sides]
        assert said == expected, f"{act} of study {study.number} by {somebody.name} with {rights}: {said}, not {expected}"
        reached = somebody.reached(self, act, study)
        granted = bool(reached) if act in ("find", "fetch") else bool(said) and said != NOT_ALLOWED
        self.seen[act, by, granted] += 1
        for kind in ("role", "own", "share", "emergency"):
            self.decided[kind] += reached != somebody.reached(self, act, study, without=kind)
        self.decided["a part"] += act == "fetch" and reached not in (set(), study.stored)

    def all_reached(self, somebody):
        return {str(study.uid) for study in self.studies if somebody.reached(self, "find", study)}

    def rows(self, somebody, path, key):
        answer = somebody.web.get(f"{self.archive.dicomweb}{path}", headers={"accept": "application/dicom+json"}, timeout=60)
        if answer.status_code == NOT_ALLOWED:
            return NOT_ALLOWED
        assert answer.status_code in (200, 204), f"{somebody.name} {path}: {answer.status_code} {answer.text}"
        return {row[key]["Value"][0] for row in answer.json()} if answer.content else set()

    def of_level(self, level, study, reached):
        """What rows of that level have to name."""
        if level == "STUDY":
            return {str(study.uid)} if reached else set()
        return {str((study.series if level == "SERIES" else study.instances)[at]) for at in reached}

    def find_by_web(self, somebody, study):
        paths = {"STUDY": [f"/studies?StudyInstanceUID={study.uid}"], "SERIES": [f"/studies/{study.uid}/series"],
                 "IMAGE": [f"/instances?StudyInstanceUID={study.uid}", f"/studies/{study.uid}/instances"]}
        level = self.dice.choice(sorted(paths))
        said = self.rows(somebody, self.dice.choice(paths[level]), KEYS[level])
        found = self.of_level(level, study, somebody.reached(self, "find", study))
        return said, found if somebody.may("find") else NOT_ALLOWED

    def list_by_web(self, somebody, _):
        said = self.rows(somebody, "/studies", KEYS["STUDY"])
        return said, self.all_reached(somebody) if somebody.may("find") else NOT_ALLOWED

    def fetch_by_web(self, somebody, study):
        at = self.dice.choice(sorted(study.stored))
        series = f"/series/{study.series[at]}"
        instance = f"{series}/instances/{study.instances[at]}"
        what = self.dice.choice(["", "", "/metadata", instance, f"{instance}/metadata", f"{instance}/frames/1",
                                 f"{series}/metadata", f"{instance}/bulkdata/7FE00010"])
        accept = "application/dicom+json" if what.endswith("metadata") else 'multipart/related; type="application/dicom"'
        pixels = "/frames" in what or "/bulkdata" in what
        if pixels:
            accept = 'multipart/related; type="application/octet-stream"'
        answer = somebody.web.get(f"{self.archive.dicomweb}/studies/{study.uid}{what}", headers={"accept": accept}, timeout=60)
        reached = somebody.reached(self, "fetch", study) & (study.stored if what in ("", "/metadata") else {at})
        came = study.named_in(answer.content) if answer.status_code == ANSWERED and not pixels else set()
        return (answer.status_code, came), (ANSWERED if reached else NOT_THERE, set() if pixels else reached)

    def store_by_web(self, somebody, study):
        at = self.dice.randrange(NUMBERS)
        return self.stow(somebody.web, study, at), somebody.reaches(self, "store", study, at)

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
        refused = {context.abstract_syntax for context in one.rejected_contexts} if (one := somebody.association) else set()
        halved = {context.abstract_syntax for context in one.accepted_contexts if not context.as_scu}
        assert sop_class in refused | halved, f"{somebody.name} was not answered: {one.acceptor.primitive}"
        return None

    def found_by_dimse(self, somebody, query):
        association, key = self.associated(somebody, FIND), KEYWORDS[query.QueryRetrieveLevel]
        if not association:
            return NOT_ALLOWED
        answers = [(status.get("Status"), row) for status, row in association.send_c_find(query, FIND)]
        rows, ended = {row[key].value for status, row in answers if status in PENDING}, answers[-1][0]
        if ended == NOT_AUTHORISED and not rows:
            return NOT_ALLOWED
        assert ended == SUCCESS, f"{somebody.name}: C-FIND ended with {ended} after {rows}"
        return rows

    def find_by_dimse(self, somebody, study):
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = self.dice.choice(sorted(KEYWORDS)), study.uid
        if query.QueryRetrieveLevel == "SERIES":
            query.SeriesInstanceUID = ""
        if query.QueryRetrieveLevel == "IMAGE":
            at = self.dice.choice(sorted(study.stored))
            query.SeriesInstanceUID, query.SOPInstanceUID = study.series[at], ""
        said, reached = self.found_by_dimse(somebody, query), somebody.reached(self, "find", study)
        if query.QueryRetrieveLevel == "IMAGE":
            reached &= {at}
        found = self.of_level(query.QueryRetrieveLevel, study, reached)
        return said, found if somebody.may("find") else NOT_ALLOWED

    def list_by_dimse(self, somebody, _):
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ""
        return self.found_by_dimse(somebody, query), self.all_reached(somebody) if somebody.may("find") else NOT_ALLOWED

    def fetch_by_dimse(self, somebody, study):
        query, came, at = Dataset(), set(), self.dice.choice(sorted(study.stored))
        query.QueryRetrieveLevel, query.StudyInstanceUID = self.dice.choice(sorted(KEYWORDS)), study.uid
        if query.QueryRetrieveLevel != "STUDY":
            query.SeriesInstanceUID = study.series[at]
        if query.QueryRetrieveLevel == "IMAGE":
            query.SOPInstanceUID = study.instances[at]
        association = self.associated(somebody, GET)
        if association:
            somebody.got.clear()
            list(association.send_c_get(query, GET))
            came = set(somebody.got)
        reached = somebody.reached(self, "fetch", study) & (study.stored if query.QueryRetrieveLevel == "STUDY" else {at})
        return came, {study.instances[at] for at in reached}

    def store_by_dimse(self, somebody, study):
        at, stored = self.dice.randrange(NUMBERS), False
        association = self.associated(somebody, SecondaryCaptureImageStorage)
        if association:
            stored = association.send_c_store(study.instance(at)).get("Status") == SUCCESS
        if stored:
            study.stored.add(at)
        return stored, somebody.reaches(self, "store", study, at)


def test_random_accesses_by_web_and_dimse_end_as_the_oracle_says(fresh):
    world = World(fresh())
    for access in range(ACCESSES):
        if access % CALM == CALM - 1:
            world.change()
        world.access()
    for somebody in world.peers:
        world.hang_up(somebody)
    print(f"{ACCESSES} accesses by web and DIMSE: 0 disagreements with the oracle; "
          + ", ".join(f"{count} decided by {kind} alone" for kind, count in sorted(world.decided.items())))
    for act in ("find", "list", "fetch", "store"):
        for by in ("web", "dimse"):
            assert world.seen[act, by, True] and world.seen[act, by, False], f"{act} by {by}: {world.seen}"
    compared = sum(count for kind, count in world.seen.items() if kind != "over")
    assert compared >= 0.98 * ACCESSES and world.seen["over"], f"{world.seen}"
    for kind in ("role", "own", "share", "emergency", "a part"):
        assert world.decided[kind], f"nothing was decided by {kind}: {world.decided}"
