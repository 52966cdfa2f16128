"""The job and the party's files: every mistake is found at once, and named by its key."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.agreement.manifest import is_name, load_job, parse_job, pin, pin_text
from moiety.errors import ConfigError
from party_kit import job, other_job, party, stage

SOURCE = job().source.decode()


def changed(old, new, text=SOURCE):
    assert old in text, old
    return text.replace(old, new, 1)


def test_the_jobs_hash_is_that_of_its_file():
    assert job().hash == hashlib.sha256(stage().job.read_bytes()).digest()
    assert parse_job(SOURCE.encode() + b"\n").hash != job().hash
    assert job().names == ("lender", "payco")
    assert (job().labelled.name, job().index("payco")) == ("lender", 1)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("version = 1", "version = 2", "only version = 1"),
        ("version = 1", "version = true", "version must be of type int"),
        ("version = 1", "", "version is missing"),
        ('purpose = "', 'porpose = "', "purpose is missing"),
        ("version = 1", 'version = 1\nextra = "x"', "unknown extra"),
        ('kind = "scorecard"', 'kind = "magic"', "kind = 'magic'"),
        ('kind = "scorecard"', 'kind = "scorecard"\nbins = 1', "bins = 1 is outside 2..250"),
        ('kind = "scorecard"', 'kind = "scorecard"\ntrees = 5', "unknown trees"),
        ('kind = "scorecard"', 'kind = "trees"\ndepth = 6', "depth = 6 is outside 1..5"),
        ('kind = "scorecard"', 'kind = "logistic"', "kind = 'logistic'"),
        ('kind = "scorecard"', 'kind = "scorecard"\nclip = 4', "unknown clip"),
        ('"vertical"', '"vertical"\n[model.edges]\nage = [5]', "are for horizontal"),
        ('"vertical"', '"vertical"\n[model.scales]\nage = [5, 1]', "are for horizontal"),
        ("min_common = 20", "min_common = 0", "min_common = 0 is outside"),
        ("min_common = 20", "min_common = 2.5", "min_common must be of type int"),
        ("predictions = 60", "predictions = -1", "predictions = -1 is outside"),
        ('scores_to = "lender"', 'scores_to = "bank"', "scores_to = 'bank' is not a party"),
        ('label = "default"\n', "", "exactly one party brings a label, not 0"),
        ('host = "operator"', 'host = "payco"', "is a party"),
        ('leakage = "fast"', 'leakage = "padded"', "'padded' is not fast or constant-flow"),
        ('leakage = "fast"', 'leakage = "constant-flow"', 'is for kind = "trees"'),
        ("max_rows = 400", "max_rows = 0", "max_rows = 0 is outside"),
        ('"age"', '"age", "age"', "list of distinct strings"),
        ('"age"', '"age", 5', "list of distinct strings"),
        ('"age"', '"label"', "no column may be called 'label'"),
        ("sha256:", "md5:", "is not a fingerprint"),
        ("sha256:", "sha256:zz", "is not a fingerprint"),
        ("ed25519:", "rsa:", "is not a signing key"),
        ("ed25519:", "ed25519:AAAA", "is not a signing key"),
        ("[parties.lender]", "[parties.enclave]", "is not a party|cannot be the name"),
        ("[parties.lender]", '[parties."a b"]', "is not a party|name is 1 to 40"),
        ("[alignment]", "[alignmint]", "alignment is missing"),
        ("[alignment]", "[alignment]\nattempts = 0", "attempts = 0 is outside 1..1000"),
        ("[alignment]", "[alignment]\nmin_applicants = 0", "min_applicants = 0 is outside"),
    ],
)
def test_a_mistake_in_a_job_is_named(old, new, text):
    with pytest.raises(ConfigError, match=text) as caught:
        parse_job(changed(old, new).encode(), "job.toml")
    assert "job.toml" in str(caught.value) or "is not a" in str(caught.value)
    assert caught.value.exit_code == 2


def test_leakage_is_fast_unless_the_job_says_so():
    assert parse_job(changed('leakage = "fast"\n', "").encode()).leakage == "fast"
    flowing = changed('leakage = "fast"', 'leakage = "constant-flow"')
    trees = changed('kind = "scorecard"', 'kind = "trees"', flowing)
    assert parse_job(trees.encode()).leakage == "constant-flow"
    with pytest.raises(ConfigError, match="trained by an enclave"):
        parse_job(changed('training = "enclave"', 'training = "mpc"', trees).encode())


def on_shares(model, *changes):
    """The job with another model, trained on shares."""
    text = changed('kind = "scorecard"\ntraining = "enclave"', f'training = "mpc"\n{model}')
    for old, new in changes:
        text = changed(old, new, text)
    return parse_job(text.encode(), "job.toml")


def test_kinds_have_the_options_that_they_need_and_no_others():
    newton = on_shares('kind = "logistic"').model
    assert (newton.solver, newton.epochs, newton.clip) == ("newton", 10, 4)
    assert newton.numeric and newton.linear and newton.by_mpc and newton.bins == 0
    assert newton.sizes == {"trees": 0, "depth": 0, "hidden": 0, "clip": 4}
    net = on_shares('kind = "perceptron"\nhidden = 8\nepochs = 3\nclip = 6').model
    assert net.sizes == {"trees": 0, "depth": 0, "hidden": 8, "clip": 6}
    assert net.numeric and not net.linear and (net.solver, net.epochs) == ("", 3)
    assert on_shares('kind = "logistic"\nsolver = "sgd"').model.solver == "sgd"
    assert (
        on_shares('kind = "trees"').model.bins == 16 and on_shares('kind = "trees"').model.clip == 0
    )


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ('kind = "linear"', "kind = 'linear'"),
        ('kind = "logistic"\nsolver = "lbfgs"', "solver = 'lbfgs'"),
        ('kind = "logistic"\nsolver = 5', "solver must be of type str"),
        ('kind = "logistic"\nbins = 10', "unknown bins"),
        ('kind = "logistic"\nhidden = 4', "unknown hidden"),
        ('kind = "logistic"\nepochs = 0', "epochs = 0 is outside 1..100"),
        ('kind = "logistic"\nclip = 17', "clip = 17 is outside 1..16"),
        ('kind = "logistic"\nclip = 2.5', "clip must be of type int"),
        ('kind = "perceptron"\nhidden = 65', "hidden = 65 is outside 1..64"),
        ('kind = "perceptron"\nsolver = "sgd"', "unknown solver"),
        ('kind = "scorecard"\nepochs = 3', "unknown epochs"),
    ],
)
def test_a_mistake_in_an_option_is_named(model, text):
    with pytest.raises(ConfigError, match=text):
        on_shares(model)


def horizontal(model):
    """Both parties of the job bring the same two columns and their labels."""
    text = SOURCE.split("[alignment]")
    people = re.sub(r"columns = .*", 'columns = ["age", "sex"]', text[0])
    people = people.replace(
        'kind = "scorecard"\ntraining = "enclave"\npartition = "vertical"', model
    )
    lender, payco = people.split("[parties.payco]")
    payco = payco.replace("max_rows", 'label = "default"\nmax_rows')
    return parse_job(f"{lender}[parties.payco]{payco}[alignment]{text[1]}".encode())


ROWS = 'training = "mpc"\npartition = "horizontal"\n'
SEX = "[model.edges]\nsex = [2]\n"
AGE = "[model.scales]\nage = [40, 10.5]\n"


def test_owners_of_rows_agree_on_scales_and_edges():
    model = horizontal(f'{ROWS}kind = "logistic"\n{SEX}{AGE}').model
    assert model.scales == {"age": (40.0, 10.5)} and model.edges == {"sex": (2.0,)}
    model = horizontal(
        f'{ROWS}kind = "perceptron"\n[model.edges]\nage = [30, 50]\nsex = [2]\n'
    ).model
    assert model.scales == {} and set(model.edges) == {"age", "sex"}


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (f'kind = "logistic"\n{AGE}', r"\[model.scales\] or \[model.edges\] has nothing for sex"),
        (f'kind = "logistic"\n{AGE}{SEX}age = [30]\n', "age: a number has a scale"),
        (f'kind = "logistic"\n{AGE}{SEX}extra = [30]\n', "nobody brings extra"),
        (f'kind = "scorecard"\n{AGE}{SEX}', "a scorecard takes bins"),
        (f'kind = "scorecard"\n{SEX}', r"\[model.edges\] has nothing for age"),
        ('kind = "logistic"\n[model.scales]\nage = [40]\n', "age must be .centre, unit"),
        ('kind = "logistic"\n[model.scales]\nage = [40, 0]\n', "the unit above 0"),
        ('kind = "logistic"\n[model.scales]\nage = [40, -1]\n', "the unit above 0"),
        ('kind = "logistic"\n[model.scales]\nage = [40, 1e-300]\n', "the unit above 0"),
        ('kind = "logistic"\n[model.scales]\nage = [nan, 1]\n', "a list of numbers"),
        ('kind = "logistic"\n[model.scales]\nage = [40, inf]\n', "a list of numbers"),
        ('kind = "logistic"\n[model.scales]\nage = [1e300, 1]\n', "a list of numbers"),
        (f'kind = "logistic"\n[model.scales]\nage = [1{"0" * 400}, 1]\n', "a list of numbers"),
        ('kind = "logistic"\n[model.scales]\nage = [true, 1]\n', "a list of numbers"),
        ('kind = "logistic"\n[model.scales]\nage = "40, 1"\n', "must be of type list"),
        ('kind = "scorecard"\n[model.edges]\nage = [nan, 1]\n', "a list of numbers"),
        ('kind = "scorecard"\n[model.edges]\nage = [2, 1]\n', "rising numbers"),
        ('kind = "scorecard"\n[model.edges]\nage = []\n', "rising numbers"),
    ],
)
def test_what_owners_of_rows_cannot_agree_on_is_named(model, text):
    with pytest.raises(ConfigError, match=text):
        horizontal(ROWS + model)


def test_names_that_would_steer_a_terminal_or_a_path_are_refused():
    for name in ("lender\x1b[31m", "../up", "a/b", "", "ключ", "x" * 41, "two words"):
        assert not is_name(name), name
        quoted = f"[parties.{name!r}]".replace("'", '"') if name else '[parties.""]'
        text = changed("[parties.lender]", quoted).replace('"lender"', f'"{name}"')
        with pytest.raises(ConfigError):
            parse_job(text.encode())


def test_three_parties_or_one_are_refused():
    third = SOURCE.split("[parties.payco]")[1].split("[alignment]")[0]
    with pytest.raises(ConfigError, match="exactly two"):
        parse_job((SOURCE + "\n[parties.third]" + third).encode())
    alone = SOURCE.replace("[parties.payco]" + third, "").replace('"payco"', '"lender"')
    with pytest.raises(ConfigError, match="exactly two"):
        parse_job(alone.encode())


@pytest.mark.parametrize("key", ["certificate", "signing_key"])
def test_two_parties_with_one_key_are_refused(key):
    mine, theirs = (getattr(job().member(name), key) for name in ("lender", "payco"))
    with pytest.raises(ConfigError, match="two parties have one key"):
        parse_job(changed(mine, theirs).encode())


def test_a_party_may_be_host_only_where_the_job_says_so():
    text = changed('host = "operator"', 'host = "payco"\nhost_may_be_party = true')
    assert parse_job(text.encode()).host_may_be_party


def test_a_job_that_is_not_there_or_is_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_job(tmp_path / "job.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_job(tmp_path)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_error(data):
    with pytest.raises(ConfigError):
        parse_job(data)


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.binary(max_size=6))
def test_a_damaged_job_is_a_config_error_or_another_job(at, new):
    source = bytearray(job().source)
    at %= len(source)
    source[at : at + len(new)] = new
    try:
        found = parse_job(bytes(source))
    except ConfigError:
        return
    assert (found.hash == job().hash) == (bytes(source) == job().source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (b"a = " + b"[" * 10_000, "is not TOML"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        (b"version = " + b"9" * 4000, "a number of many digits"),
        (b"\xff\xfe", "is not TOML"),
        (b"a." * 10_000 + b"b = 1", "a line with more than 64 dots"),
        (b"#" * 70_000, "more than 65536 bytes"),
    ],
)
def test_what_would_break_the_parser_itself_is_a_config_error(source, text):
    with pytest.raises(ConfigError, match=text):
        parse_job(source)


def test_a_fingerprint_is_written_and_read():
    found = pin(job().member("lender").certificate)
    assert pin_text(found) == job().member("lender").certificate
    with pytest.raises(ConfigError):
        pin(pin_text(found)[:-1])


def test_an_unknown_party_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="no party 'bank'") as caught:
        job().member("bank")
    assert "lender, payco" in caught.value.hint


def test_the_kits_job_is_changed_only_where_told():
    other = other_job(("predictions = 60", "predictions = 59"))
    assert (other.predictions, other.min_common) == (59, job().min_common)
    assert party("lender").name == "lender"
