#!/usr/bin/env bash
# Builds the wheel, installs it into a new environment elsewhere, and runs the command once.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
VIRTUAL_ENV=$PWD/.venv .venv/bin/maturin build --release --quiet --locked --out "$folder/wheels"
ls -l "$folder"/wheels
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "$folder"/wheels/*.whl
cd "$folder"
venv/bin/moiety --version
venv/bin/moiety demo credit --folder "$folder/demo" --json 2>"$folder/log" | tail -c 300 || { tail -n 20 "$folder/log"; exit 1; }
