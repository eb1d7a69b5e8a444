import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from leadglass import ROOT, Archive  # noqa: E402

SAMPLES = ROOT / "testdata" / "samples"


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory):
    """One archive for the judges that can share it."""
    archive = Archive(tmp_path_factory.mktemp("archive") / "data").start()
    yield archive
    archive.stop()
    archive.remove()


@pytest.fixture(scope="session")
def archive(empty_archive):
    """The shared archive after DCMTK's storescu has sent it the sample studies over mutual TLS."""
    for syntax_option in ("-x=", "-xy", "-xv", "-xw"):
        # storescu proposes uncompressed syntaxes and one family of compressed ones at a time
        empty_archive.dcmtk("storescu", syntax_option, "-R", "+sd", "+r", "--no-halt",
                            "{peer}", SAMPLES)
    return empty_archive


@pytest.fixture
def fresh(tmp_path):
    """Archives of the test's own."""
    made = []

    def make(*arguments, **options):
        archive = Archive(tmp_path / f"data{len(made)}", *arguments, **options)
        made.append(archive)
        return archive.start()

    yield make
    for archive in made:
        if archive.process and archive.is_running():
            archive.stop()
        archive.remove()
