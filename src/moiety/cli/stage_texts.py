"""The files that parties of a stage write, to be filled in."""

POLICY = """\
purposes = ["{purpose}"]
models = {models}
training = ["{training}"]
scores_to = ["{scores_to}"]
scored_by = ["{scored_by}"]
max_peer_rows = {max_rows}
min_common = {min_common}
min_applicants = {applicants}
max_predictions = {predictions}

[columns]
{columns}

{admitted}
"""

ENCLAVE = """\
[enclave]
hosts = ["operator"]
leakage = ["{leakage}"]
measurements = ["{measurement}"]
tcb_statuses = ["UpToDate"]
accepted_advisories = []
allow_simulation = true
simulation_root = "simulation-root.der"
"""

DEALER = """\
[enclave]
hosts = ["operator"]
dealers = ["{pinned}"]
"""

TRANSFORM = """\
[transform]
max_epsilon = {budget}
delta = {delta}
"""

JOB = """\
version = 1
purpose = "{purpose}"

[model]
kind = "{model}"
training = "{training}"
partition = "{partition}"
{options}{agreed}{parties}
{alignment}
{dealer}
[release]
scores_to = "{scores_to}"
scored_by = "{scored_by}"
predictions = {predictions}

[plan]
network = "lan"
"""

MEMBER = """
[parties.{name}]
certificate = "{certificate}"
signing_key = "{signing_key}"
train = "{train}"
{score}columns = {columns}
{label}max_rows = {max_rows}
"""
