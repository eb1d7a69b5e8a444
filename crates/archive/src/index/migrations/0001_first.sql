-- The first schema. Text compares by its bytes (SQLite's BINARY; COLLATE "C" elsewhere).
-- Columns named after attributes are those of leadglass_dicom::attribute::ALL; a test
-- compares. NULL is an absent or empty value. Dates are YYYYMMDD, times HHMMSS.FFFFFF,
-- moments microseconds since 1970 UTC; names refer to `name`; where an attribute has
-- several values they stand between backslashes: \A\B\.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Names, each spelling once, with what they are searched by.
CREATE TABLE name (
    id INTEGER PRIMARY KEY,
    raw TEXT NOT NULL UNIQUE
);
-- The normalised component groups.
CREATE TABLE name_form (
    form TEXT NOT NULL,
    name BIGINT NOT NULL REFERENCES name (id),
    PRIMARY KEY (form, name)
) WITHOUT ROWID;
CREATE INDEX name_form_name ON name_form (name);
-- The words of all groups, and their sounds after an equals sign.
CREATE TABLE name_word (
    word TEXT NOT NULL,
    name BIGINT NOT NULL REFERENCES name (id),
    PRIMARY KEY (word, name)
) WITHOUT ROWID;
CREATE INDEX name_word_name ON name_word (name);
-- All forms of a name in one text, by trigram; rowid = name.id.
CREATE VIRTUAL TABLE name_trigram USING fts5 (
    forms, content = '', contentless_delete = 1, tokenize = 'trigram'
);

-- What a scope looks at, each combination once. patient_id is NULL where the instance has
-- the Patient ID of its study's patient.
CREATE TABLE label (
    id INTEGER PRIMARY KEY,
    modality TEXT NOT NULL,
    institution TEXT NOT NULL,
    department TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    patient_id TEXT,
    -- names as they came, several between backslashes
    referring TEXT NOT NULL,
    reading TEXT NOT NULL
);
CREATE INDEX label_by_modality ON label (modality, institution, sop_class, referring);
CREATE INDEX label_by_institution ON label (institution);
CREATE INDEX label_by_department ON label (department) WHERE department <> '';
CREATE INDEX label_by_patient ON label (patient_id) WHERE patient_id IS NOT NULL;
-- The normalised component groups of the names; kind is 'referring' or 'reading'.
CREATE TABLE label_name (
    form TEXT NOT NULL,
    kind TEXT NOT NULL,
    label BIGINT NOT NULL REFERENCES label (id),
    PRIMARY KEY (form, kind, label)
) WITHOUT ROWID;
CREATE INDEX label_name_label ON label_name (label);

CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    patient_name BIGINT REFERENCES name (id),
    patient_id TEXT,
    issuer_of_patient_id TEXT,
    patient_birth_date TEXT,
    patient_birth_time TEXT,
    patient_sex TEXT,
    other_patient_ids TEXT,
    other_patient_names BIGINT REFERENCES name (id),
    ethnic_group TEXT,
    patient_comments TEXT,
    -- the values as they came, JSON, see index::column
    attributes TEXT NOT NULL
);
CREATE INDEX patient_by_id ON patient (patient_id);
CREATE INDEX patient_by_identity ON patient (patient_id, patient_name, patient_birth_date);
CREATE INDEX patient_by_name ON patient (patient_name);
CREATE INDEX patient_by_birth_date ON patient (patient_birth_date);

CREATE INDEX patient_by_other_patient_names ON patient (other_patient_names) WHERE other_patient_names IS NOT NULL;
CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    patient BIGINT NOT NULL REFERENCES patient (id),
    key_id BLOB NOT NULL,
    study_instance_uid TEXT,
    study_date TEXT,
    study_time TEXT,
    accession_number TEXT,
    study_id TEXT,
    referring_physician_name BIGINT REFERENCES name (id),
    study_description TEXT,
    name_of_physicians_reading_study BIGINT REFERENCES name (id),
    admitting_diagnoses_description TEXT,
    patient_age TEXT,
    patient_size TEXT,
    patient_weight TEXT,
    occupation TEXT,
    additional_patient_history TEXT,
    timezone_offset_from_utc TEXT,
    -- the values as they came, JSON, see index::column
    attributes TEXT NOT NULL
);
CREATE UNIQUE INDEX study_by_uid ON study (study_instance_uid);
CREATE INDEX study_by_patient ON study (patient);
CREATE INDEX study_by_date ON study (study_date);
CREATE INDEX study_by_accession ON study (accession_number);
CREATE INDEX study_by_id ON study (study_id);
CREATE INDEX study_by_referrer ON study (referring_physician_name);

CREATE INDEX study_by_name_of_physicians_reading_study ON study (name_of_physicians_reading_study) WHERE name_of_physicians_reading_study IS NOT NULL;
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    study BIGINT NOT NULL REFERENCES study (id),
    last_received_ns BIGINT NOT NULL,
    instances BIGINT NOT NULL,
    summary_instances BIGINT NOT NULL,
    summary_segment BIGINT,
    summary_offset BIGINT,
    summary_key_id BLOB,
    series_instance_uid TEXT,
    modality TEXT,
    series_number BIGINT,
    series_description TEXT,
    series_date TEXT,
    series_time TEXT,
    body_part_examined TEXT,
    laterality TEXT,
    protocol_name TEXT,
    manufacturer TEXT,
    manufacturer_model_name TEXT,
    institution_name TEXT,
    institutional_department_name TEXT,
    station_name TEXT,
    operators_name BIGINT REFERENCES name (id),
    performing_physician_name BIGINT REFERENCES name (id),
    performed_procedure_step_start_date TEXT,
    performed_procedure_step_start_time TEXT,
    performed_procedure_step_id TEXT,
    scheduled_procedure_step_id TEXT,
    requested_procedure_id TEXT,
    -- the values as they came, JSON, see index::column
    attributes TEXT NOT NULL
);
CREATE UNIQUE INDEX series_by_uid ON series (series_instance_uid, study);
CREATE INDEX series_by_study ON series (study);
CREATE INDEX series_unsettled ON series (last_received_ns) WHERE summary_instances <> instances;

CREATE INDEX series_by_operators_name ON series (operators_name) WHERE operators_name IS NOT NULL;
CREATE INDEX series_by_performing_physician_name ON series (performing_physician_name) WHERE performing_physician_name IS NOT NULL;
CREATE TABLE instance (
    id INTEGER PRIMARY KEY,
    series BIGINT NOT NULL REFERENCES series (id),
    label BIGINT NOT NULL REFERENCES label (id),
    sequence BIGINT NOT NULL,
    record_segment BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    key_id BLOB NOT NULL,
    transfer_syntax TEXT NOT NULL,
    digest BLOB NOT NULL,
    data_set_bytes BIGINT NOT NULL,
    frames BIGINT NOT NULL,
    received_ns BIGINT NOT NULL,
    calling_ae TEXT,
    sop_instance_uid TEXT,
    sop_class_uid TEXT,
    instance_number BIGINT,
    rows BIGINT,
    columns BIGINT,
    bits_allocated BIGINT,
    number_of_frames BIGINT,
    content_date TEXT,
    content_time TEXT,
    acquisition_date TEXT,
    acquisition_time TEXT,
    acquisition_date_time BIGINT,
    acquisition_number BIGINT,
    image_type TEXT,
    content_label TEXT,
    content_description TEXT,
    -- the values as they came, JSON, see index::column
    attributes TEXT NOT NULL
);
CREATE UNIQUE INDEX instance_by_uid ON instance (sop_instance_uid);
CREATE INDEX instance_by_series ON instance (series);

-- How many instances of each label there are: scopes, modalities, SOP classes, counts.
CREATE TABLE study_label (
    study BIGINT NOT NULL REFERENCES study (id),
    label BIGINT NOT NULL REFERENCES label (id),
    instances BIGINT NOT NULL,
    PRIMARY KEY (study, label)
) WITHOUT ROWID;
CREATE INDEX study_label_by_label ON study_label (label, study);
CREATE TABLE series_label (
    series BIGINT NOT NULL REFERENCES series (id),
    label BIGINT NOT NULL REFERENCES label (id),
    instances BIGINT NOT NULL,
    PRIMARY KEY (series, label)
) WITHOUT ROWID;

CREATE TABLE registry (
    kind TEXT NOT NULL,
    entry TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (kind, entry)
) WITHOUT ROWID;

-- What people set down about studies and patients; subject is 'study:…' or 'patient:…',
-- what is 'label' or 'restriction'.
CREATE TABLE mark (
    subject TEXT NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (subject, what, value)
) WITHOUT ROWID;
CREATE INDEX mark_by_value ON mark (what, value, subject);

-- What is rare has an index of its own: whoever looks for it must not read all the rest.
CREATE TABLE trail (
    entry BIGINT PRIMARY KEY,
    time_ns BIGINT NOT NULL,
    caller TEXT NOT NULL,
    person TEXT,
    peer TEXT,
    address TEXT,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    event TEXT,
    outcome TEXT NOT NULL,
    patient_id TEXT,
    study TEXT,
    amount BIGINT NOT NULL,
    detail TEXT NOT NULL,
    closed_by BIGINT,
    -- the key that seals who it is about, while that is known here
    identity BLOB
);
CREATE INDEX trail_by_time ON trail (time_ns, entry);
CREATE INDEX trail_by_patient ON trail (patient_id, time_ns, entry) WHERE patient_id IS NOT NULL;
CREATE INDEX trail_by_study ON trail (study, time_ns, entry) WHERE study IS NOT NULL;
CREATE INDEX trail_by_caller ON trail (caller, time_ns, entry);
CREATE INDEX trail_by_person ON trail (person, time_ns, entry) WHERE person IS NOT NULL;
CREATE INDEX trail_by_peer ON trail (peer, time_ns, entry) WHERE peer IS NOT NULL;
CREATE INDEX trail_by_address ON trail (address, time_ns, entry) WHERE address IS NOT NULL;
CREATE INDEX trail_by_event ON trail (event, time_ns, entry) WHERE event IS NOT NULL;
CREATE INDEX trail_by_action ON trail (action, time_ns, entry);
CREATE INDEX trail_by_outcome ON trail (outcome, time_ns, entry) WHERE outcome <> 'done';

CREATE TABLE quarantine (
    sequence BIGINT PRIMARY KEY,
    sop_instance_uid TEXT NOT NULL,
    record_segment BIGINT NOT NULL,
    record_offset BIGINT NOT NULL,
    key_id BLOB NOT NULL,
    digest BLOB NOT NULL,
    data_set_bytes BIGINT NOT NULL,
    received_ns BIGINT NOT NULL,
    caller TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX quarantine_by_uid ON quarantine (sop_instance_uid, digest);
