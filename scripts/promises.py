#!/usr/bin/env python3
"""Runs what proves the promises and writes docs/PROMISES.md.

    scripts/promises.py              write the page from what was run before
    scripts/promises.py P05 P08      run these rows, then write it
    scripts/promises.py all          run every row

Each row's command is run as it stands in the page, from the root of the repository. A figure is read from its output; the
results are kept in docs/promises.json with the day and the commit. A row that was not run says so, and so does one of which a
test was skipped, is not in the sources, or was added since. Ends with 1 when a row failed or was not run in full.
"""

import datetime
import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE, RESULTS = ROOT / "docs" / "PROMISES.md", ROOT / "docs" / "promises.json"
PYTEST = ".venv/bin/python -m pytest -q -s"


def cargo(test, *names):
    """Of the whole workspace, so that no row builds what another has built already."""
    return f"cargo test --locked --workspace {test} -- " + " ".join(names), names


def judges(file, *names):
    return f"{PYTEST} interop/{file} -k '{' or '.join(names)}'", names


def with_environment(setting, command):
    return f"{setting} {command[0]}", command[1]


def full(command):
    return with_environment("LEADGLASS_FULL=1", command)


def script(command):
    return command, ()


# id, what is promised, what the figure has to be, commands. A row without commands has no test yet.
PROMISES = [
    ("P01", "no configuration exposes data",
     "10,000 random configurations (500 in CI): nobody anonymous reads a byte or opens an association",
     [cargo("--lib", "no_key_is_a_switch", "others_come_only_where_all_conditions_hold",
             "closed_doors_pass_and_a_door_forced_open_is_not_bound", "as_long_as_nothing_is_set_up_a_wildcard_is_loopback"),
      judges("exposure/test_self.py", "test_a_running_archive_has_no_finding"),
      ("LEADGLASS_FULL=1 cargo test --locked --release --workspace --test closed -- --nocapture no_configuration_opens_a_door",
       ("no_configuration_opens_a_door",)),
      judges("test_configurations.py", "test_no_random_configuration_opens_a_door")]),
    ("P02", "there is no default secret", "none in binary or documents; 1,000 installs, all different",
     [cargo("--lib", "secrets_are_long_different_and_found_by_digest"),
      cargo("--test access", "a_fresh_archive_knows_nobody_but_its_host", "a_thousand_setup_codes_are_all_different"),
      full(judges("test_promises.py", "test_no_private_key_is_shipped", "test_no_two_installs_share_a_secret"))]),
    ("P03", "the race for the first account is not won by a stranger", "0 accounts without the code; it dies after 30 minutes or 5 tries",
     [cargo("--test access", "the_setup_code_makes_one_administrator_once", "a_hundred_strangers_who_race_make_no_account",
              "a_setup_code_dies_after_thirty_minutes_and_after_five_wrong_tries", "wrong_setup_codes_count_across_restarts")]),
    ("P04", "a fresh start is closed", "nothing but TLS and setup answers",
     [cargo("--test dimse", "before_setup_all_are_rejected"), judges("test_refusals.py", "test_setup_is_closed_after_the_first_time"),
      script(".venv/bin/python interop/assess.py nmap openssl")]),
    ("P05", "an unknown AE title learns nothing", "1,000 pairs: TLS fails or the association is rejected, all alike",
     [judges("test_refusals.py", "test_foreign_certificates_get_no_association", "test_no_certificate_gets_no_association",
             "test_right_certificate_with_another_title_is_rejected", "test_wrong_called_title_is_rejected"),
      judges("test_peers.py", "test_a_thousand_titles_learn_nothing"),
      cargo("--test dimse", "a_title_or_archive_that_is_not_meant_is_rejected")]),
    ("P06", "every route is guarded", "all routes declared; at most 6 answer anybody",
     [cargo("--lib", "the_committed_page_is_the_policy", "every_operation_is_on_the_page"),
      cargo("--test dicomweb", "nothing_answers_a_stranger", "every_route_is_on_the_page_that_was_reviewed"),
      judges("test_refusals.py", "test_no_route_answers_without_a_token")]),
    ("P07", "TLS is that of PS3.15 B.12 and RFC 9325", "nothing above informational by testssl.sh; each other suite refused",
     [cargo("--lib", "three_suites_of_1_3_and_the_four_recommended_of_1_2"), judges("test_refusals.py", "test_old_tls_is_refused"),
      script(".venv/bin/python interop/assess.py openssl testssl")]),
    ("P08", "bad certificates are refused", "12 of 12, each an alert on the trail",
     [judges("test_refusals.py", "test_foreign_certificates_get_no_association",
             "test_an_enrolled_certificate_is_believed_within_its_dates_alone"),
      judges("test_peers.py", "test_twelve_bad_certificates"),
      cargo("--lib", "a_caller_is_signed_or_pinned_and_in_date", "each_fault_has_its_name")]),
    ("P09", "user identities are verified or refused", "each of the types 1 to 5 as documented",
     [judges("test_pynetdicom.py", "test_identity_type_1_is_recorded_and_grants_nothing", "test_identity_type_2_is_verified",
             "test_identity_types_we_cannot_verify_are_refused"),
      judges("test_peers.py", "test_names_and_passcodes", "test_saml_assertions_of_signxml", "test_saml_assertions_of_xmlsec1"),
      judges("test_oidc.py", "test_a_token_is_a_user_identity_of_type_5"),
      cargo("--lib", "forged_assertions_are_refused_each_for_its_reason", "an_identity_is_the_first_peer_s_that_shows_it"),
      cargo("--test dimse", "user_identities_that_cannot_be_verified_are_rejected")]),
    ("P10", "nobody reaches another's patients", "100,000 random accesses, 0 disagreements with an oracle",
     [full(("cargo test --locked --release --workspace --test policy -- --nocapture random_accesses_end_as_the_oracle_says",
            ("random_accesses_end_as_the_oracle_says",))),
      full(judges("test_policy.py", "test_random_accesses_by_web_and_dimse_end_as_the_oracle_says")),
      cargo("--test scope", "what_is_out_of_scope_answers_as_what_is_not_there")]),
    ("P11", "a change of rights holds at once", "at most 5 s, also in the middle of a transfer",
     [cargo("--test dimse", "revocation_ends_a_live_association", "a_c_get_under_way_ends_when_its_peer_is_revoked",
            "a_c_get_under_way_ends_when_its_study_is_restricted",
            "a_c_move_under_way_ends_when_its_peer_is_revoked"),
      cargo("--test store", "a_peer_revoked_while_it_sends_is_refused_at_the_end"),
      cargo("--test dicomweb", "a_revoked_token_ends_at_once", "a_download_under_way_ends_when_its_token_is_revoked"),
      judges("test_shield.py", "test_a_download_under_way_ends_when_its_token_is_revoked",
             "test_a_c_get_under_way_ends_when_its_peer_is_revoked"),
      cargo("--test scope", "scopes_are_kept_and_a_change_of_one_holds_at_once"),
      cargo("--test grants", "what_is_under_way_ends_with_the_right_it_was_granted_by"),
      judges("test_people.py", "test_sessions_end_within_five_seconds")]),
    ("P12", "signing in withstands guessing and tells nothing",
     "10 tries a minute for account and address; no lock-out of the owner; medians within 5 %",
     [cargo("--lib", "ten_a_minute_for_an_account_from_an_address",
              "ten_thousand_guesses_from_everywhere_do_not_lock_the_owner_out",
              "length_counts_and_what_guessers_try_does_not"),
      cargo("--test people", "ten_thousand_guesses_reach_few_hashes_and_do_not_lock_the_owner_out", "whoever_is_wrong_hears_the_same"),
      full(judges("test_people.py", "test_ten_thousand_guesses_do_not_lock_the_owner_out", "test_known_and_unknown_take_the_same_time",
                  "test_known_and_unknown_are_answered_alike"))]),
    ("P13", "identity providers' tokens are verified", "0 of 30 forgeries believed",
     [cargo("--lib", "no_forged_token_is_believed", "no_byte_of_a_token_can_be_changed",
              "tokens_of_every_accepted_algorithm_are_believed"),
      judges("test_oidc.py", "test_replayed_stolen_and_forged_answers_are_refused", "test_what_is_asked_for_is_bound_to_this_visit",
             "test_rotated_keys_are_fetched", "test_a_provider_with_another_certificate_is_not_believed"),
      judges("test_hostile_provider.py", "test_a_stranger_s_keys_are_not_believed_nor_fetched")]),
    ("P14", "no cross-site request, fixation or loose cookie passes", "0 passes",
     [cargo("--lib", "one_bearer_token_counts_and_nothing_else", "only_our_own_page_changes_anything",
             "one_cookie_of_a_name_counts_and_two_do_not"),
      cargo("--test people", "who_administers_can_do_nothing_before_a_second_factor_is_enrolled"),
      cargo("--test dicomweb", "every_answer_carries_its_headers"),
      judges("test_people.py", "test_no_other_page_causes_anything", "test_the_cookie_is_for_this_host_and_no_script",
             "test_an_invitation_a_passphrase_and_a_code", "test_a_cookie_and_a_token_are_neither")]),
    ("P15", "no script runs in a browser", "200 payloads, 0 executions",
     [judges("exposure/test_report.py", "test_no_form_acts_on_who_reads_it", "test_nothing_leaves_the_page"),
      judges("test_people.py", "test_passkeys_in_a_real_browser"),
      full(judges("test_promises.py", "test_two_hundred_payloads_run_nowhere"))]),
    ("P16", "nothing is injected into SQL", "sqlmap and 60 keys, 0",
     [cargo("--lib", "sql_finds_what_the_reference_finds"), script(".venv/bin/python interop/assess.py sqlmap")]),
    ("P17", "the server calls nobody a caller names", "0 connections",
     [cargo("--test dicomweb", "bulk_data_that_do_not_come_are_never_fetched"),
      judges("test_hostile_provider.py", "test_a_provider_that_names_other_hosts_is_not_followed_there",
             "test_a_stranger_s_keys_are_not_believed_nor_fetched"),
      judges("test_dcmtk.py", "test_movescu_to_an_unknown_destination_goes_nowhere")]),
    ("P18", "no name from outside becomes a path", "10,000 names, 0 outside",
     [("cargo test --locked --workspace --lib -- what_could_be_a_path_or_markup_is_refused",
       ("what_could_be_a_path_or_markup_is_refused",)),
      cargo("--lib", "no_file_id_leaves_the_folder", "entries_are_read_within_bounds", "a_title_is_one_segment_of_a_path"),
      judges("test_promises.py", "test_ten_thousand_names_touch_nothing_outside")]),
    ("P19", "a preamble carries nothing", "12 kinds of executable, 0 handed out",
     [cargo("--test dicomweb", "studies_series_and_instances_come_as_multipart"),
      judges("test_promises.py", "test_twelve_kinds_of_executable_leave_as_zeros")]),
    ("P30", "every kind of event is on the trail", "all 15 of PS3.15 A.5 and the alerts of CID 403",
     [cargo("--test trail", "every_operation_writes_its_entry_allowed_or_not"),
      cargo("--test events", "every_event_that_operations_bring_about_has_its_code_and_outcome",
              "every_event_can_be_raised_and_is_told_as_what_it_is"),
      cargo("--lib", "every_code_of_cid_403_and_every_kind_of_message_has_an_event")]),
    ("P31", "nothing is seen without an entry", "1,000 kills, 0 bytes unaccounted for",
     [cargo("--test trail", "nothing_is_handed_out_when_the_trail_cannot_be_written", "an_interrupted_retrieval_says_so"),
      cargo("--test events", "what_a_crash_left_open_is_closed_as_interrupted"),
      judges("test_trail.py", "test_when_the_trail_has_no_room_access_stops_and_says_why"),
      with_environment("LEADGLASS_KILLS=1000", judges("test_crash.py", "test_reads_under_kill_9"))]),
    ("P32", "tampering is seen", "1,000 of 1,000 random changes",
     [cargo("--lib", "a_flipped_bit_is_found_and_named", "a_header_reads_back_and_every_flipped_bit_shows"),
      cargo("--test proofs", "a_thousand_changes_to_the_log_are_seen")]),
    ("P33", "putting back an older state is seen", "within 60 s of what is lost",
     [cargo("--lib", "a_log_cut_back_passes_no_checkpoint_kept_here_or_elsewhere"),
      cargo("--test durability", "a_log_cut_back_is_not_served"),
      cargo("--test proofs", "an_older_checkpoint_shows_a_log_put_back_or_begun_anew")]),
    ("P34", "who saw this patient is answered quickly", "at most 2 s in 10 million entries",
     [cargo("--lib", "the_trail_is_found_by_patient_caller_and_time_in_pages", "no_question_sorts_or_scans"),
      script("cargo run --release --locked -p leadglass-archive --example trail_bench -- 10000000 target/trail-bench")]),
    ("P35", "delivery to a repository loses nothing", "an hour without it: 0 lost, 0 out of order",
     [cargo("--lib", "a_frame_counts_octets_and_has_the_header_of_dicom", "it_is_where_it_was_left_and_nobody_else_moves_it"),
      with_environment("LEADGLASS_AWAY_S=3600",
                       judges("test_trail.py", "test_a_repository_that_was_away_gets_everything_once_and_in_order"))]),
    ("EDGE", "what an edge took over arrives, and nothing in clear beyond it", "archive killed for a minute, 50 kills of the edge: nothing lost, nothing changed, nothing in clear on the other wire",
     [full(judges("test_edge.py", "test_an_archive_that_is_gone_for_a_while_gets_everything_unchanged_and_nothing_is_in_clear",
                  "test_kill_9_of_the_edge_loses_nothing_that_was_acknowledged"))]),
    ("BRAKE", "who walks every study in order is stopped", "within the envelope, alarmed, on the trail; a radiologist's normal day is not disturbed",
     [cargo("--test brake", "walking_every_study_in_order_is_stopped_told_and_on_the_trail", "a_normal_day_is_not_disturbed"),
      judges("test_shield.py", "test_whoever_walks_every_study_by_dicomweb_gets_no_row_beyond_the_envelope",
             "test_whoever_walks_every_study_by_c_find_gets_no_row_beyond_the_envelope")]),
    ("P44", "what is de-identified identifies nobody by the standard's table", "each attribute of the standard's table (655 in 2026c), each option set: 0 canaries left",
     [("cargo test --locked --workspace --lib -- deidentify::tests::canaries",
       ("no_canary_survives_the_basic_profile", "no_canary_survives_an_option_alone_but_what_it_retains",
        "no_canary_survives_all_options_together_but_what_they_retain")),
      full(("cargo test --locked --release -p leadglass-dicom --lib -- --nocapture no_canary_survives_any_set_of_options_but_what_it_retains",
            ("no_canary_survives_any_set_of_options_but_what_it_retains",))),
      judges("test_deidentify.py", "test_dicom_anonymizer_agrees", "test_no_identifier_of_the_original_is_in_the_bytes",
             "test_uids_are_consistent_over_a_study")]),
]


# What the tests show of the bar, where they show less.
SHOWN = {
    "P01": "no key of the configuration weakens anything; conditions for opening, table by table; 10,000 random configurations of the library, 6 of the program with flags and environment (100 with LEADGLASS_FULL), each looked at, at every socket and each address it answers at, in a network of its own with a private and a public address: doors on the loopback before setup and without a second factor, doors off it once an administrator has one, public DICOM doors where that is said to be meant, doors that come out while the program runs; declared legacy listeners among them, on the loopback, which take no association of a stranger. The edge's are not among them",
    "P02": "the bar itself: authority, certificate, key, token and master key of 1,000 installs, and 1,000 setup codes; no private key in the binary or in any file of the sources",
    "P03": "the bar itself; also across restarts",
    "P04": "every association is rejected before setup; setup closes behind the first; nmap and openssl at an archive that is set up",
    "P05": "1,000 titles, hostile ones among them, with an enrolled certificate: one rejection, or one abort for what can be no title; 1,001 with a foreign certificate: one alert",
    "P06": "operations by role and routes by role are reviewed files; every route with every method, an archive's and a shield's, asked by nobody, by a token of each role, by people with one factor and with two, by a peer's certificate; what a shield refuses does not reach the old archive. 17 paths answer anybody: health, setup, enrolment, signing in and its files",
    "P07": "the bar itself",
    "P08": "13 by name; the first of a minute is an alert of its own, the rest of that minute are counted in one",
    "P09": "1 recorded only, 2, 4 (signxml, xmlsec1) and 5 (oidc-provider) verified, 3 refused",
    "P10": "100,000 random accesses of 40 callers against an oracle, at the archive's one door, which DIMSE and web share; 100,000 of 26 by DICOMweb and DIMSE at a running archive: tokens, people with sessions, own patients, shares, emergencies and rights that end, peers, users at peers",
    "P11": "certificate, token, session, right, scope and restriction; in the middle of a store, C-GET, C-MOVE and download, ours and a shield's; one host, there are no others",
    "P12": "the bar itself",
    "P13": "52 forgeries by name, every byte of a token changed; a real provider: replayed, stolen, forged answers, rotated keys, an impostor; keys of a stranger under the name of its own, fetched from where the token says, or in the token",
    "P14": "17 requests that change something, each from eight kinds of other page; attributes of the cookie; a new secret at each factor",
    "P15": "the bar itself, with the pages there are: signing in, account, errors, searches, metadata; the exposure report, in Chromium",
    "P16": "random searches equal to a reference; sqlmap on searches, paths and the trail",
    "P17": "with a listener at what is named, which nobody calls: bulk data by http, https, file and other schemes; an identity provider that redirects, or names keys and tokens at another host; keys that a token names; and C-MOVE to whom nobody enrolled",
    "P18": "10,000 names by web, watched by strace; UIDs, titles, DICOMDIR file ids, zip entries by kind. Without Landlock",
    "P19": "the bar itself: by instance, zip and export",
    "P30": "each operation, allowed and refused; each event that anything brings about, driven once; the codes that nothing raises yet are listed in TRAIL.md",
    "P31": "with a trail that cannot be written, or a disk that is full, nothing is handed out; 1,000 kills under WADO, metadata, QIDO, C-FIND and C-GET at once: each study of which a byte arrived has its entry after the restart",
    "P32": "the bar itself; and every bit of a header",
    "P33": "log cut back or begun anew, against a checkpoint kept elsewhere",
    "P34": "the bar itself, the first 1,000 rows from a fresh connection, on the machine it was run on",
    "P35": "a repository (rsyslog or our own judge) that was away gets everything once and in order, after an hour",
    "EDGE": "the bar itself, by DCMTK and tcpdump",
    "BRAKE": "the bar itself; through a shield in front of Orthanc, too",
    "P44": "each attribute of the table of edition 2026d (657): with no option, with each option alone, and with each of the 3,072 sets that go together (16 of them in CI); and bytes of real studies, judged by dicom-anonymizer",
}


def sources():
    """Names of all tests there are."""
    found = set()
    for folder, ending in (("crates", "*.rs"), ("interop", "*.py")):
        for path in (ROOT / folder).rglob(ending):
            found |= set(re.findall(r"\b(?:fn|def) (\w+)\s*\(", path.read_text(encoding="utf-8")))
    return found


def runnable(commands, known):
    """Commands with the tests that are there alone, each with how many those are, and the names of those that are not."""
    kept, absent = [], []
    for command, names in commands:
        there = [name for name in names if name in known]
        absent += [name for name in names if name not in known]
        if names and not there:
            continue
        if len(there) < len(names):
            for name in set(names) - set(there):
                command = re.sub(rf" or {name}\b|\b{name} or |\b{name}\b", "", command)
            command = re.sub(r" {2,}", " ", command).strip()
        kept.append((command, len(there)))
    return kept, absent


def figure(output):
    """How many tests passed, failed and did not run, and what the assessment counted, from what a command wrote."""
    passed = sum(map(int, re.findall(r"(\d+) passed", output)))
    failed = sum(map(int, re.findall(r"(\d+) failed", output)))
    skipped = sum(map(int, re.findall(r"(\d+) (?:skipped|ignored)", output)))
    counts = re.findall(r"^\| (?:openssl|nmap|testssl\.sh|sqlmap) \| [^|]* \| ([^|]*) \|$", output, re.M)
    counts += re.findall(r"^(\d+ configurations, .*|configurations: .*)$", output, re.M)
    counts += re.findall(r"^\.?(\d+ (?:installs|kills|names|accesses by web and DIMSE)[,:] .*)$", output, re.M)
    counts += [" ".join(row) for row in re.findall(r"^(who saw this patient|what did this person do) +first page +([\d.]+ ms)", output, re.M)]
    return passed, failed, skipped, [count.strip() for count in counts]


def run(commands, absent):
    """One result for a row: nothing failed when each command ended with 0 and something was counted in each; it was run in full
    when each test that it names ran."""
    result = {"passed": 0, "failed": 0, "not_run": len(absent), "counted": [], "seconds": 0, "ok": True,
              "commands": [command for command, _ in commands]}
    for command, tests in commands:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="leadglass-promises-") as own:  # pytest clears a shared one of what is old
            done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, errors="replace",
                                  env=os.environ | {"CARGO_TERM_COLOR": "never", "PYTEST_DEBUG_TEMPROOT": own})
        passed, failed, skipped, counted = figure(done.stdout + done.stderr)
        result["passed"] += passed
        result["failed"] += failed
        result["not_run"] += max(skipped, tests - passed - failed, 0)
        result["counted"] += counted
        result["seconds"] += round(time.monotonic() - started)
        if done.returncode or not (passed or skipped or counted):
            result["ok"] = False
            sys.stderr.write(f"{command}\n{(done.stdout + done.stderr)[-3000:]}\n")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return result | {"day": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}", "commit": commit}


def kept_results():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(name, result):
    """Some rows take an hour: others may be run and kept meanwhile."""
    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        RESULTS.write_text(json.dumps(kept_results() | {name: result}, indent=1, sort_keys=True) + "\n")


def told(result, commands, absent):
    """What the page says of a row whose commands are these now."""
    if result is None:
        return "**not run**"
    what = [f"{result['passed']} tests passed"] if result["passed"] else []
    what += [f"{result['failed']} failed"] if result["failed"] else []
    what += list(dict.fromkeys(result["counted"]))
    not_run = max(result.get("not_run", 0), len(absent))
    new = [command for command in commands if command not in result.get("commands", commands)]
    what += [f"{not_run} tests did not run"] if not_run else []
    what += [f"{len(new)} of {len(commands)} commands are new since"] if new else []
    verdict = "**failed**: " if not result["ok"] else "**not run in full**: " if not_run or new else "passed: "
    return f"{verdict}{'; '.join(what)} ({result['day']}, {result['commit']}, {result['seconds']} s)"


def page(results, known):
    lines = ["# Promises, and what was measured", "",
             "Made by `make promises` (`scripts/promises.py`); do not edit. *Bar* is what the promise demands in full; *shown* what the tests",
             "show of it; *figure* what they gave when the command was last run, with day and commit. A figure is that of what is shown, not",
             "of the bar. A figure that was not run is printed as **not run**, never as passed; one of which a test was skipped, is not in the",
             "sources or was added since, as **not run in full**.", "",
             "| id | promise | bar | shown | command | figure |", "|---|---|---|---|---|---|"]
    for name, promise, bar, commands in PROMISES:
        kept, absent = runnable(commands, known)
        shown = "<br>".join(f"`{command}`".replace("|", "\\|") for command, _ in kept) or "no test yet"
        figures = told(results.get(name), [command for command, _ in kept], absent)
        if absent:
            shown += f"<br>not in the sources yet: {len(absent)} of its tests"
        lines.append(f"| {name} | {promise} | {bar} | {SHOWN[name] if kept else 'nothing'} | {shown} | {figures} |")
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    asked = sys.argv[1:]
    ids = [promise[0] for promise in PROMISES]
    if unknown := [name for name in asked if name not in (*ids, "all")]:
        sys.exit(f"promises: no such row: {', '.join(unknown)}\n{__doc__}")
    known, failed = sources(), False
    for name, promise, _, commands in PROMISES:
        kept, absent = runnable(commands, known)
        if (name in asked or "all" in asked) and kept:
            print(f"{name} {promise}", flush=True)
            result = run(kept, absent)
            failed |= not result["ok"] or result["not_run"] > 0
            keep(name, result)
    page(kept_results(), known)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
