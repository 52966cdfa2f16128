"""Repository rules that no linter knows: sizes, licences of dependencies, generated docs, words."""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_LINES, RUST_LINES = 300, 400
LICENCES = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|Unlicense|0BSD|Zlib", re.I
)
CRATE_LICENCES = re.compile(r"\b(MIT|Apache-2\.0|BSD-[23]-Clause|ISC|Unicode-3\.0|Zlib|0BSD)\b")
MACHINE = re.compile(r"/work/|/home/\w+/|/root/|\bshared/(facts|DESIGN)")


def tracked() -> list[Path]:
    """The files that git tracks or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).is_file()]


def too_long(files: list[Path]) -> list[str]:
    """Files above the ceiling: a file that long usually holds two ideas."""
    faults = []
    for path in files:
        limit = {".py": PYTHON_LINES, ".rs": RUST_LINES}.get(path.suffix)
        if limit and len(path.read_text().splitlines()) > limit:
            faults.append(f"{path.relative_to(ROOT)} has more than {limit} lines")
    return faults


def of_a_machine(files: list[Path]) -> list[str]:
    """Texts that name a path of one machine."""
    faults = []
    for path in files:
        if path.suffix in {".py", ".rs", ".md", ".toml", ".sh", ".html"} and path != Path(__file__):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if MACHINE.search(line):
                    faults.append(f"{path.relative_to(ROOT)}:{number} names a path of one machine")
    return faults


def licences() -> list[str]:
    """Installed distributions whose licence is not a permissive one."""
    faults = []
    for package in distributions():
        facts = package.metadata
        stated = [facts.get("License-Expression"), facts.get("License")]
        stated += [line for line in facts.get_all("Classifier") or [] if "License" in line]
        text = " ".join(part[:200] for part in stated if part)
        if facts["Name"] not in {"moiety", "pip", "setuptools"} and not LICENCES.search(text):
            faults.append(f"the licence of {facts['Name']} is '{text[:60]}'")
    return faults


def crates() -> list[str]:
    """Crates of the lock file whose licence does not allow a permissive choice."""
    done = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    packages = json.loads(done.stdout)["packages"]
    stated = {package["name"]: package["license"] or "" for package in packages}
    return [
        f"the licence of the crate {name} is '{text}'"
        for name, text in stated.items()
        if not CRATE_LICENCES.search(text)
    ]


def generated() -> list[str]:
    """Generated pages that differ from what the code says now."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [] if done.returncode == 0 else [done.stdout.strip() or done.stderr.strip()]


def main() -> None:
    """Prints every fault; exits with 1 if there is one."""
    files = tracked()
    faults = too_long(files) + of_a_machine(files) + licences() + crates() + generated()
    for fault in faults:
        print(f"check: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
