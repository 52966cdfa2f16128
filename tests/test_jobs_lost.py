"""A process is killed at every step: the others stop at once and say who was lost; nothing else is.

The next run goes on after alignment, with the model if there is one, and scores nobody twice.
"""

import time

import pytest

from job_kit import KEPT, company, play, service  # noqa: F401
from moiety.agreement.record import verify_record
from moiety.party.config import load_party
from process_kit import SOON
from stage_kit import APPLICANTS, scores, spent

pytestmark = pytest.mark.jobs


def stops(process, lost):
    """The process ends soon, with one sentence that names who was lost, and exit code 4."""
    assert process.end(SOON) == 4, process.story()
    assert lost in process.error and process.body["hint"]
    assert "closed the connection during" in process.error or "in the middle" in process.error
    return process.error


def kept(play):
    """The steps that the next run need not repeat: what both parties have kept of them."""
    files = {f"align-{use}": f"alignment-{use}.json" for use in ("train", "score")}
    files["hand-over"] = "model.share"
    homes = [play.job_folder(name) for name in ("lender", "payco")]
    return [step for step, file in files.items() if all((home / file).exists() for home in homes)]


def goes_on(company, play, *, scored=APPLICANTS):
    """Another run of both parties succeeds, and repeats none of the steps that are kept."""
    known = kept(play)
    lender, payco = company.run(play, "lender", "payco")
    assert (lender.end(), payco.end()) == (0, 0), lender.story() + payco.story()
    for process in (lender, payco):
        under_way = [step for step, _ in process.told("under way")]
        for step in ("align-train", "align-score", "hand-over"):
            assert (KEPT in process.result(step)) == (step in known), process.story()
            assert step not in known or step not in under_way
        assert f"scored {scored:,} applicants" in process.result("predict")
    return lender, payco


def assert_records_hold(play):
    """Each run's record is whole; the one that was cut short is open or tells the failure."""
    for name in ("lender", "payco"):
        key = load_party(play.homes[name]).signing_key.public
        paths = sorted(play.job_folder(name).glob("record-*.jsonl"))
        states = [verify_record(path, key).state for path in paths]
        assert len(states) == 2 and states[-1] == "complete"


# ── a party ─────────────────────────────────────────────────────────────────────────────────


def test_a_party_is_killed_when_they_have_just_met(service, company, play):
    lender, payco = company.run(play, "lender", "payco")
    payco.on("agreement", "done", payco.kill)
    assert payco.end() == -9
    stops(lender, "payco")
    goes_on(company, play)


@pytest.mark.parametrize(
    ("victim", "step", "least", "most"),
    [
        ("payco", "align-train", 0, 0),
        ("lender", "attestation", 1, 2),
        ("payco", "seal", 1, 2),
        ("lender", "align-score", 1, 1),
        ("payco", "hand-over", 2, 2),
    ],
)
def test_a_party_is_killed(service, company, play, victim, step, least, most):
    """At a step; where the two work together, the other is held so that it cannot be over."""
    parties = dict(zip(("lender", "payco"), company.run(play, "lender", "payco"), strict=True))
    dead = parties.pop(victim)
    (survivor,) = parties.values()
    if step.startswith(("align", "hand")):
        survivor.on(step, "begun", survivor.pause)
        survivor.wait_for(step, "begun")
    dead.wait_for(step, "begun")
    dead.kill()
    dead.end()
    survivor.resume()
    sentence = stops(survivor, victim)
    assert sentence.startswith((f"{victim} closed", f"enclave stopped: {victim} closed")), sentence
    assert least <= len(kept(play)) <= most
    goes_on(company, play)
    assert_records_hold(play)
    assert service.alive and len(scores(play)) == APPLICANTS


def test_a_party_is_killed_before_it_meets_anyone(service, company, play):
    """The other goes on calling, and the next run of the dead one is met."""
    (payco,) = company.run(play, "payco")
    payco.wait_for("agreement", "noted", "waiting for lender")
    (lender,) = company.run(play, "lender")
    lender.on("load", "begun", lender.kill)
    assert lender.end() == -9
    assert payco.alive
    (again,) = company.run(play, "lender")
    assert (again.end(), payco.end()) == (0, 0), again.story() + payco.story()


def test_a_party_is_killed_in_the_middle_of_prediction(service, company, play):
    """The id that was under way is never scored; the others are; earlier scores stay as is."""
    lender, payco = company.run(play, "lender", "payco")
    payco.on("predict", "under way", payco.pause)
    payco.wait_for("predict", "under way")
    lender.wait_for("predict", "under way")
    _settle(lambda: len(spent(play, "payco")))
    payco.kill()
    stops(lender, "payco")
    before, written = scores(play), [len(spent(play, name)) for name in ("lender", "payco")]
    assert 1 <= len(before) <= max(written) <= len(before) + 1
    lost = max(written) - len(before)
    goes_on(company, play, scored=APPLICANTS - max(written))
    after = scores(play)
    assert len(after) == APPLICANTS - lost
    assert {one: after[one] for one in before} == before
    assert len(spent(play, "lender")) >= len(after)
    assert_records_hold(play)
    again = goes_on(company, play, scored=0)
    assert scores(play) == after
    assert all("were scored before" in process.result("predict") for process in again)


def _settle(count):
    """Waits until a number no longer changes: the other is waiting."""
    seen = None
    while seen != (seen := count()):
        time.sleep(0.3)


@pytest.mark.parametrize("victim", ["lender", "payco"])
def test_a_party_is_killed_with_the_model_in_hand(service, company, play, victim):
    lender, payco = company.run(play, "lender", "payco")
    dead, survivor = (lender, payco) if victim == "lender" else (payco, lender)
    survivor.on("predict", "begun", survivor.pause)
    survivor.wait_for("predict", "begun")
    dead.wait_for("predict", "begun")
    dead.kill()
    survivor.resume()
    stops(survivor, victim)
    assert len(scores(play)) <= 1
    done = max(len(spent(play, name)) for name in ("lender", "payco"))
    goes_on(company, play, scored=APPLICANTS - done)
    assert service.alive


@pytest.mark.parametrize(("victim", "step"), [("payco", "finish"), ("lender", "report")])
def test_a_party_is_killed_when_all_is_scored(service, company, play, victim, step):
    """The scores are there; the next run writes the report that is missing."""
    parties = dict(zip(("lender", "payco"), company.run(play, "lender", "payco"), strict=True))
    dead = parties.pop(victim)
    (survivor,) = parties.values()
    dead.on(step, "begun", dead.kill)
    assert dead.end() in (-9, 0)
    if survivor.end(SOON) == 4:
        assert step == "finish" and victim in survivor.error
    assert len(scores(play)) == APPLICANTS
    goes_on(company, play, scored=0)
    for name in ("lender", "payco"):
        assert (play.job_folder(name) / "report.html").exists()
