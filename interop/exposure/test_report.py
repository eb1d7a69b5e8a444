"""The forms of a report before those who read them: schemas, parsers, a browser.

The reports are made up by crates/exposure/examples/exposure_reports.rs; in one of them each text
that comes from the scope attacks whoever shows it.
"""
import csv
import io
import json
import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree

import pytest
from leadglass import BINARY, ROOT

# Tried with the `allowed` set of DefectDojo's importer, dojo/tools/generic/json_parser.py.
DEFECTDOJO_ALLOWED = set("""date cwe cve epss_score epss_percentile cvssv3 cvssv3_score cvssv4 cvssv4_score mitigation
    impact steps_to_reproduce severity_justification references active verified false_p out_of_scope risk_accepted
    under_review is_mitigated thread_id mitigated numerical_severity param payload line file_path component_name
    component_version static_finding dynamic_finding scanner_confidence unique_id_from_tool vuln_id_from_tool
    nb_occurences publish_date service planned_remediation_date tags endpoints files vulnerability_ids title severity
    description""".split())
REPORTS = ("estate", "mended", "hostile", "scan")
OPENS_NOTHING = "<script", "<img", "<iframe", "<link", "javascript:"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    example = BINARY.parent / "examples" / "exposure_reports"
    if example.exists():
        subprocess.run([str(example), str(folder)], check=True, timeout=120)
    else:
        subprocess.run(["cargo", "run", "--quiet", "--locked", "--package", "leadglass-exposure", "--example",
                        "exposure_reports", "--", str(folder)], check=True, cwd=ROOT, timeout=1800)
    return folder


@pytest.fixture(params=REPORTS)
def report(made, request):
    return made / request.param


def findings(folder):
    canonical = json.loads((folder / "report.json").read_text())
    return [outcome for place in canonical["systems"] for service in place["services"]
            for outcome in service["outcomes"] if outcome["state"] == "finding"] + \
           [outcome for tree in canonical["trees"] for outcome in tree["outcomes"] if outcome["state"] == "finding"]


def test_the_canonical_form_keeps_its_schema(report):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "exposure-report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    canonical = json.loads((report / "report.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(canonical)
    canonical["systems"][0]["patient"] = "DOE^JANE"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(canonical)


def test_sarif_is_read_by_a_strict_model(report):
    model = pytest.importorskip("pydantic_sarif.model")
    log = json.loads((report / "report.sarif").read_text())
    strict = json.loads(json.dumps(log))
    for result in strict["runs"][0]["results"]:
        for suppression in result.get("suppressions", []):
            # The model has the `state` of an early draft; 2.1.0 calls it `status` (3.35.3).
            assert suppression.pop("status") == "accepted"
    model.StaticAnalysisResultsFormatSarifVersion210JsonSchema(**strict)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    present = [result for result in run["results"] if result["baselineState"] != "absent"]
    assert len(present) == len(findings(report))
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    prints = [result["partialFingerprints"]["exposure/v1"] for result in present]
    assert len(set(prints)) == len(prints), "a fingerprint stands for one finding"


def test_sarif_says_what_is_new(made):
    states = {name: {result["baselineState"] for result in
                     json.loads((made / name / "report.sarif").read_text())["runs"][0]["results"]} for name in REPORTS}
    assert states["estate"] == {"new"}, "compared with the mended estate"
    assert states["mended"] == set()


def test_defectdojo_would_take_it(report):
    content = json.loads((report / "report.defectdojo.json").read_text())
    assert set(content) == {"findings"}
    assert len(content["findings"]) == len(findings(report))
    for finding in content["findings"]:
        assert set(finding) <= DEFECTDOJO_ALLOWED
        assert {"title", "severity", "description"} <= set(finding)
        assert finding["severity"] in {"Critical", "High", "Medium", "Low", "Info"}
        assert all(re.fullmatch(r"[a-z0-9-]+://[0-9.]+:\d+", endpoint) for endpoint in finding.get("endpoints", []))


def test_ocsf_keeps_the_schema_of_1_8(report):
    package = pytest.importorskip("ocsf_json_schema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = package.OcsfJsonSchemaEmbedded(package.get_ocsf_schema(version="1.8.0"))
    validators = {}
    events = [json.loads(line) for line in (report / "report.ocsf.jsonl").read_text().splitlines()]
    assert len(events) == len(findings(report))
    for event in events[:500]:
        uid = event["class_uid"]
        if uid not in validators:
            of_class = schema.get_class_schema(schema.lookup_class_name_from_uid(uid))
            validators[uid] = jsonschema.Draft202012Validator(of_class)
        validators[uid].validate(event)
        check = event["finding_info"]["types"][0]
        assert uid == (2006 if check.startswith("F") else 2002 if check == "V-01" else 2003)


def test_junit_is_xml_that_adds_up(report):
    root = ElementTree.fromstring((report / "report.junit.xml").read_bytes())
    cases = root.findall("./testsuite/testcase")
    assert len(cases) == int(root.get("tests"))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(root.findall(f"./testsuite/testcase/{kind}")) == int(root.get(attribute))
    assert int(root.get("failures")) <= len(findings(report))


def test_prometheus_reads_the_textfile(report):
    parser = pytest.importorskip("prometheus_client.parser")
    text = (report / "report.prom").read_text()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    checked = families["leadglass_exposure_systems_checked"].samples[0].value
    by_country = families["leadglass_exposure_country_systems_checked"].samples
    assert sum(sample.value for sample in by_country) == checked
    by_severity = sum(sample.value for sample in families["leadglass_exposure_findings"].samples)
    accepted = families["leadglass_exposure_findings_accepted"].samples[0].value
    assert by_severity + accepted == len(findings(report))


def test_csv_has_a_row_for_each_finding_and_no_formula(report):
    text = (report / "report.csv").read_bytes().decode()
    assert text.count("\n") == text.count("\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == len(findings(report))
    for row in rows:
        assert None not in row and None not in row.values()
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


@pytest.mark.parametrize("name", ["hostile", "fleet"])
def test_no_form_acts_on_who_reads_it(made, name):
    for path in sorted((made / name).iterdir()):
        text = path.read_bytes().decode()
        acting = {c for c in text if c not in "\n\r" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
        assert not acting, (path.name, acting)
        if path.suffix == ".html":
            assert not any(tag in text for tag in OPENS_NOTHING), path.name


def test_the_picture_of_2019(made):
    html = (made / "scan" / "report.html").read_text()
    text = (made / "scan" / "report.txt").read_text()
    for said in ("590", "2,300", "25.7 %", "24,300,000"):
        assert said in html and said in text
    assert max(len(line) for line in text.splitlines()) <= 80


# The page in a browser.

PAGES = ["estate/report.html", "hostile/report.html", "fleet/fleet.html"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as playing:
        running = playing.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page_name", PAGES)
def test_nothing_leaves_the_page(made, browser, page_name, scheme):
    for size, (width, height) in SIZES.items():
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        asked, said = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))

        page.route("**/*", only_the_first(asked))
        page.goto((made / page_name).as_uri(), wait_until="load")
        assert len(asked) == 1, asked[1:]
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"too wide for a {size}"
        assert page.locator("h1").count() == 1
        assert page.locator("th:not([scope])").count() == 0
        assert page.locator("svg:not([role=img]):not([aria-hidden=true])").count() == 0
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
        assert all(after - before <= 1 for before, after in zip(levels, levels[1:])), "a level of headings is left out"
        assert poor_contrast(page) == []
        page.close()


@pytest.mark.parametrize("page_name", ["estate/report.html", "fleet/fleet.html"])
def test_it_can_be_looked_at(made, page_name, tmp_path):
    """A picture for people to look at, and not an empty one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    picture = tmp_path / "page.png"
    subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={picture}",
                    "--window-size=1280,1600", (made / page_name).as_uri()], check=True, capture_output=True, timeout=120)
    assert picture.stat().st_size > 50_000


def test_it_prints(made, browser, tmp_path):
    page = browser.new_page()
    page.goto((made / "estate" / "report.html").as_uri())
    printed = page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")


def only_the_first(asked):
    """Lets the page itself through and keeps the address of all else that it asks for."""
    def let(route):
        asked.append(route.request.url)
        route.continue_() if len(asked) == 1 else route.abort()
    return let


def poor_contrast(page):
    """Texts whose contrast with what is behind them is below 4.5 (WCAG 2.1, 1.4.3)."""
    return page.evaluate("""() => {
        const colour = text => (text.match(/[\\d.]+/g) || []).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = element => {
            for (; element; element = element.parentElement) {
                const found = colour(getComputedStyle(element).backgroundColor);
                if (found.length === 3 || found[3] > 0) return found;
            }
            return [255, 255, 255];
        };
        const poor = new Set();
        for (const element of [...document.querySelectorAll('body *')].slice(0, 3000)) {
            const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
            if (!own || element.closest('svg')) continue;
            const [a, b] = [light(colour(getComputedStyle(element).color)), light(behind(element))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
        }
        return [...poor];
    }""")
