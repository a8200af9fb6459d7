#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
requirements.py: is the table of RFC 9293's requirements in firmware/tcp/README.md whole and true?

Each requirement of appendix B must be there once, and whatever the table names must exist: files,
identifiers in them, unit tests and their cases, scenarios, folders of scripts. Prints what is not so.
"""
import glob
import re
import sys

TABLE = "firmware/tcp/README.md"
HEADING = "## RFC 9293, statement by statement"
TOTALS = {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}  # RFC 9293 appendix B
wrong = []


def rows():
    text = open(TABLE, encoding="utf-8").read().split(HEADING)[1]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [[c.strip() for c in row] for row in cells[2:]]


def numbers(cell):
    """MUST-8, 9, SHLD-1 or MUST-24 to 29: (kind, number) each."""
    kind = None
    for word, first, last in re.findall(r"(?:([A-Z]+)-)?(\d+)(?: to (\d+))?", cell):
        kind = word or kind
        for n in range(int(first), int(last or first) + 1):
            yield kind, n


def check_numbers(table):
    seen = [i for row in table for i in numbers(row[0])]
    all_of = [(kind, n) for kind, most in TOTALS.items() for n in range(1, most + 1)]
    wrong.extend(f"{k}-{n} is missing" for k, n in all_of if (k, n) not in seen)
    wrong.extend(f"{k}-{n} is unknown" for k, n in sorted(set(seen)) if (k, n) not in all_of)
    wrong.extend(f"{k}-{n} stands there twice" for k, n in all_of if seen.count((k, n)) > 1)


def exists(pattern, *places):
    found = [f for place in places for f in glob.glob(f"{place}/{pattern}")]
    if not found:
        wrong.append(f"{pattern} is not in {' or '.join(places)}")
    return found


def has(pattern, files, place, what):
    """Is `what`, a name in which * stands for any end, in one of the files?"""
    regex = re.compile(pattern % re.escape(what).replace(r"\*", r"\w*"), re.M)
    if files and not any(regex.search(open(f, encoding="utf-8").read()) for f in files):
        wrong.append(f"{what} is not in {place}")


def check_where(cell):
    for name in re.findall(r"`([^`]+)`", cell):
        if "." in name or name.islower() and "_" not in name:
            exists(name, "firmware/tcp", "firmware", ".")
        else:
            has(r"\b%s\b", glob.glob("firmware/*/*.[ch]"), "firmware", name)


def check_shown(part):
    head, _, rest = part.partition(":")
    if part.endswith("scripts"):
        for folder in re.findall(r"`(\w+)`", part):
            exists(folder + "/*.pkt", "tests/conformance/scripts")
    elif part.startswith("e2e "):
        for name in re.findall(r"test_\w+", part):
            exists(name + ".py", "tests/e2e")
    elif "sim_" in part:
        for name in re.findall(r"sim_\w+", part):
            exists(name + ".c", "tests/sim")
    elif part == "bpf":
        exists("test_*.c", "tests/bpf")
    elif part != "by reading":
        files = [f for name in head.split(",") for f in exists(f"test_{name.strip()}.c", "tests/unit")]
        for case in re.findall(r"`([^`]+)`", rest):
            has(r"^static void %s\(", files, " or ".join(files), case)


def main():
    table = rows()
    check_numbers(table)
    for row in table:
        check_where(row[2])
        for part in filter(None, (p.strip() for p in row[3].split(";"))):
            check_shown(part)
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
