#!/usr/bin/env bash
# Says in one line each what is missing on this machine before anything is set up.
set -u
python=${1:-python3}
missing=0
say() { echo "missing: $1" >&2; missing=1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  || say "Python 3.11 or newer (tried '$python'; name another with: make PYTHON=/path/to/python3.12 demo)"
"$python" -c 'import venv, ensurepip' 2>/dev/null \
  || say "Python's venv module (on Debian and Ubuntu: the package python3-venv)"
command -v cargo >/dev/null 2>&1 || say "Rust with cargo, by rustup (the version is pinned in rust-toolchain.toml)"
command -v cc >/dev/null 2>&1 || say "a C linker named 'cc' (on Debian and Ubuntu: the package gcc)"
exit $missing
