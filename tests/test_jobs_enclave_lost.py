"""The enclave is killed at every step, or comes late: nothing is lost, nobody waits for long."""

from signal import SIGINT

import pytest

from job_kit import KEPT, company, play  # noqa: F401
from moiety.cli.processes import run_all, unheard
from moiety.errors import MoietyError
from process_kit import SOON
from stage_kit import APPLICANTS, CLIENTS, scores, small_split

pytestmark = pytest.mark.jobs

ALIGNED = ["align-train"]


@pytest.mark.parametrize(
    ("step", "kept"),
    [("attestation", ALIGNED), ("capsule", ALIGNED), ("training", ALIGNED), ("hand-over", ALIGNED)],
)
def test_the_enclave_is_killed(company, play, step, kept):
    enclave, lender, payco = company.run(play, "enclave", "lender", "payco")
    enclave.on(step, "begun", enclave.kill)
    assert enclave.end() == -9
    for process in (lender, payco):
        assert process.end(SOON) == 4, process.story()
        assert "enclave" in process.error
    assert scores(play) == {}
    enclave, *_ = company.run(play, "enclave")
    lender, payco = company.run(play, "lender", "payco")
    assert (lender.end(), payco.end(), enclave.end()) == (0, 0, 0), lender.story()
    for process in (lender, payco):
        assert all(KEPT in process.result(one) for one in kept)
    assert len(scores(play)) == APPLICANTS


def test_the_enclave_is_killed_while_the_parties_predict(company, play):
    """It has handed everything over: nobody needs it, nothing is lost."""
    enclave, lender, payco = company.run(play, "enclave", "lender", "payco")
    payco.on("predict", "begun", payco.pause)
    payco.wait_for("predict", "begun")
    lender.wait_for("predict", "begun")
    enclave.kill()
    enclave.end()
    payco.resume()
    assert (lender.end(), payco.end()) == (0, 0), lender.story() + payco.story()
    assert len(scores(play)) == APPLICANTS


def test_the_enclave_is_interrupted(company, play):
    """Its operator may end it at any time; the parties say so, and the terminal says no more."""
    enclave, lender, payco = company.run(play, "enclave", "lender", "payco")
    payco.on("align-score", "begun", payco.pause)
    payco.wait_for("align-score", "begun")
    enclave.wait_for("hand-over", "begun")
    enclave.signal(SIGINT)
    assert enclave.end(SOON) == 130 and enclave.body["error"] == "interrupted"
    payco.resume()
    for process in (lender, payco):
        assert process.end(SOON) == 4, process.story()
        assert "enclave stopped: it was interrupted" in process.error


def test_the_enclave_is_started_last(company, play):
    lender, payco = company.run(play, "lender", "payco")
    lender.wait_for("attestation", "noted", "waiting for enclave at")
    (enclave,) = company.run(play, "enclave")
    assert (lender.end(), payco.end(), enclave.end()) == (0, 0, 0), lender.story()


def test_the_demo_names_the_cause_among_three_processes(play, capsys, monkeypatch):
    """As `moiety demo` starts them: who refused is told, not those whom it left waiting."""
    monkeypatch.setattr("moiety.cli.processes.GRACE", 0.5)
    (play.job_folder("lender") / "signature").unlink()
    with pytest.raises(MoietyError, match="lender: lender has not signed job") as caught:
        run_all(play.commands(), tell=unheard)
    assert caught.value.exit_code == 3 and "moiety job sign" in caught.value.hint
    told = capsys.readouterr()
    assert told.out == "" and "Traceback" not in told.err


def test_the_kit_has_as_many_people_as_it_says():
    assert small_split().applicants.num_rows > APPLICANTS
    assert small_split().lender.num_rows > CLIENTS
