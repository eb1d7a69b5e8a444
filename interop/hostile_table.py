"""Makes docs/HOSTILE.md of what the hostile judge wrote: `pytest interop/test_hostile.py`, then this."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    head, *rows = [line.split("\t") for line in (ROOT / "target" / "hostile-answers.tsv").read_text().splitlines()]
    lines = ["# Hostile files and what they got", "",
             "Each file goes to one running archive by C-STORE and by STOW-RS (`interop/test_hostile.py`; table by",
             "`interop/hostile_table.py`, with `LEADGLASS_CORPUS` naming the full corpus). `expected` is what the corpus says of the file:",
             "reject, accept, or either. C-STORE answers are DIMSE statuses (PS3.7 Annex C), STOW-RS answers HTTP statuses; `not",
             "proposed` means that the sender's own library would not send it. The last column is how much the peak of the server's",
             "memory grew meanwhile. The server never ended, and a neighbour who echoed all the while never waited.", "",
             "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    (ROOT / "docs" / "HOSTILE.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
