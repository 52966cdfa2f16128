#!/usr/bin/env bash
# The main job without the demo: what a lender, a payment company and the enclave's operator type.
#
#   examples/three_terminals.sh [FOLDER]        default: three-terminals, which must not exist yet
#
# Here all three are this machine and this script; `lender$` says who would type a line. For three
# machines: the same lines, with their own addresses, and with files sent where `cp` stands here.
set -euo pipefail
folder=${1:-three-terminals}
python=${PYTHON:-.venv/bin/python}
port=${PORT:-7443}
lender_at=127.0.0.1:$port payco_at=127.0.0.1:$((port + 1)) enclave_at=127.0.0.1:$((port + 2))
purpose="joint credit score of a rural lender and a payment company"

as() { # WHO COMMAND…: shows a command, runs it
  local who=$1; shift
  printf '%s$ %s\n' "$who" "$*"
  "$@"
}
moiety() { "$python" -m moiety "$@"; }
fact() { sed -n "s/^$2 = //p" "$1"; } # CARD KEY: a value, with its quotes
names() { # SCHEMA: the columns that it declares but the label, as a list in TOML
  sed -n 's/^\[columns\.\(.*\)\]$/"\1"/p' "$1" | grep -v '"default"' | paste -sd, | sed 's/.*/[&]/'
}

mkdir "$folder"
"$python" "$(dirname "$0")/tables.py" "$folder"
lender=$folder/lender payco=$folder/payco

# 1. Each party makes its folder, and gives the other its card. Fingerprints are compared by telephone.
as lender moiety init lender --home "$lender" --listen "$lender_at" --enclave "$enclave_at"
as payco  moiety init payco  --home "$payco"  --listen "$payco_at"  --enclave "$enclave_at"
as lender moiety peer add "$payco/payco.card.toml" --home "$lender"
as payco  moiety peer add "$lender/lender.card.toml" --home "$payco"

# 2. Each reads its tables against schemas that a person has checked.
as lender moiety data add "$lender/clients.parquet" --name clients --id id --label default --home "$lender"
as lender moiety data add "$lender/applicants.parquet" --name applicants --id id --label default --home "$lender"
as payco  moiety data add "$payco/clients.parquet" --name clients --id id --home "$payco"

# 3. The operator starts the enclave. It is a SIMULATION: parties pin the root that it made.
printf 'enclave$ moiety enclave serve --simulate --home %s --listen %s --once &\n' "$folder/enclave" "$enclave_at"
"$python" -m moiety enclave serve --simulate --home "$folder/enclave" --listen "$enclave_at" --once &
enclave=$!
trap 'kill "$enclave" 2>/dev/null || true' EXIT
until [ -e "$folder/enclave/platform/root.der" ]; do sleep 0.1; done
measurement=$(moiety enclave measure)

# 4. Each security officer writes down what is allowed; the rest is refused.
policy() { # HOME TABLE…
  local home=$1; shift
  cp "$folder/enclave/platform/root.der" "$home/simulation-root.der"
  cat > "$home/policy.toml" <<POLICY
purposes = ["$purpose"]
models = ["scorecard"]
training = ["enclave"]
scores_to = ["lender"]
max_peer_rows = 40000
min_common = 500
max_predictions = 6000

[columns]
$(for table in "$@"; do echo "$table = $(names "$home/$table.schema.toml")"; done)

[enclave]
hosts = ["operator"]
measurements = ["$measurement"]
tcb_statuses = ["UpToDate"]
accepted_advisories = []
allow_simulation = true
simulation_root = "simulation-root.der"
POLICY
}
policy "$lender" clients applicants
policy "$payco" clients

# 5. One of them drafts the job; both check and sign the same bytes.
cat > "$folder/job.toml" <<JOB
version = 1
purpose = "$purpose"

[model]
kind = "scorecard"

[parties.lender]
certificate = $(fact "$lender/lender.card.toml" certificate)
signing_key = $(fact "$lender/lender.card.toml" signing_key)
train = "clients"
score = "applicants"
columns = $(names "$lender/clients.schema.toml")
label = "default"
max_rows = 40000

[parties.payco]
certificate = $(fact "$payco/payco.card.toml" certificate)
signing_key = $(fact "$payco/payco.card.toml" signing_key)
train = "clients"
score = "clients"
columns = $(names "$payco/clients.schema.toml")
max_rows = 40000

[alignment]
min_common = 500

[enclave]
host = "operator"

[release]
scores_to = "lender"
predictions = 6000
JOB
as lender moiety job check "$folder/job.toml" --home "$lender"
as lender moiety job sign "$folder/job.toml" --home "$lender"
as payco  moiety job sign "$folder/job.toml" --home "$payco"
as lender moiety doctor --home "$lender"

# 6. Both run it, in any order, within two minutes of each other.
printf 'payco$ moiety run %s --as payco --home %s &\n' "$folder/job.toml" "$payco"
"$python" -m moiety run "$folder/job.toml" --as payco --home "$payco" > "$folder/payco.out" &
peer=$!
as lender moiety run "$folder/job.toml" --as lender --home "$lender"
wait "$peer"
wait "$enclave"
trap - EXIT

# 7. Anybody checks a record offline; here the lender that of payco, under the key of its card.
record=$(ls "$payco"/jobs/*/record-*.jsonl)
as lender moiety audit verify "$record" --key "$(fact "$payco/payco.card.toml" signing_key | tr -d '"')"
