"""The measurement: equal for equal code, different for one changed byte."""

import shutil
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moiety
from moiety.enclave.measure import DEPENDENCIES, measure, measurement


def test_the_measurement_is_of_the_code_that_runs() -> None:
    package = Path(moiety.__file__).parent
    assert measurement() == measurement()
    assert measurement() == measure(package, ((name, version(name)) for name in DEPENDENCIES))
    assert len(measurement()) == 32


def test_direct_dependencies_are_all_measured() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    named = {each.split(">")[0].split("<")[0] for each in project["project"]["dependencies"]}
    assert named == set(DEPENDENCIES)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code") / "moiety"
    (folder / "ops").mkdir(parents=True)
    (folder / "__init__.py").write_text("x = 1\n")
    (folder / "ops" / "compare.py").write_text("y = 2\n")
    (folder / "_core.abi3.so").write_bytes(bytes(range(256)))
    (folder / "report.html").write_text("not code")
    return folder


NAMED = [("numpy", "2.0"), ("cbor2", "6.1")]


@settings(max_examples=60)
@given(st.sampled_from(["__init__.py", "ops/compare.py", "_core.abi3.so"]), st.data())
def test_one_changed_byte_changes_the_measurement(
    package: Path, name: str, data: st.DataObject
) -> None:
    whole = measure(package, NAMED)
    path = package / name
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    changed = measure(package, NAMED)
    path.write_bytes(content)
    assert changed != whole == measure(package, reversed(NAMED))


def test_names_places_and_versions_count(package: Path, tmp_path: Path) -> None:
    whole = measure(package, NAMED)
    other = tmp_path / "elsewhere"
    shutil.copytree(package, other)
    assert measure(other, NAMED) == whole
    (other / "report.html").write_text("changed")
    (other / "__pycache__").mkdir()
    assert measure(other, NAMED) == whole
    seen = {whole, measure(other, NAMED[:1]), measure(other, [("numpy", "2.1"), NAMED[1]])}
    (other / "ops" / "compare.py").rename(other / "ops" / "compared.py")
    seen.add(measure(other, NAMED))
    (other / "ops" / "more.py").write_text("")
    seen.add(measure(other, NAMED))
    assert len(seen) == 5
