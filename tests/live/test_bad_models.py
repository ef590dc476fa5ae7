"""Bad models through the command line on a real audio server: the sound goes on without them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .gains import save_gains
from .playing import rig_on
from .test_faults import ON_RIG, check_end, flows
from .test_faults import command as command
from .test_rig import until_the_machine_is_calm

SECONDS = 1.0
NAN = (1e30, 1e30, 0.0)


@pytest.mark.parametrize("placement", ["inline", "worker"])
def test_a_model_of_nan_is_heard_as_the_untouched_sound(serve, command, tmp_path, placement):
    server = serve(period=128)
    model = save_gains(tmp_path / "bad.safetensors", *NAN)
    ends = []

    def listen():
        with rig_on(server, "counter", round(SECONDS * server.rate)) as rig:
            live = command(server.environment, str(model), *ON_RIG, "--placement", placement)
            verdict = rig.verdict(SECONDS + 60.0)
            stats = live.stats_when(lambda s: flows(s) and s["counts"]["bad_model_blocks"] > 0)
            live.process.send_signal(signal.SIGINT)
            ends.append((live.finish(), stats))
        return verdict

    verdict = until_the_machine_is_calm(listen, period_ms=1e3 * 128 / 48_000)
    (code, err, _), stats = ends[-1]
    print(f"{verdict.altered} samples altered, {stats['counts']['bad_model_blocks']} blocks of NaN")
    check_end(code, err, 130)
    # Every sample of it, in its place.
    assert verdict.altered == 0


def test_a_model_that_sleeps_through_every_block(serve, command, guard):
    """Twice 20 ms for a block of 10 ms, all the time."""
    server = serve(period=480)
    sleepy = server.environment | {"LD_PRELOAD": str(guard), "GUARD_SLEEP_NS": "20000000"}
    options = ("-i", "rig", "-o", "rig", "--placement", "worker")
    ends = []

    def listen():
        with rig_on(server, "counter", round(SECONDS * server.rate)) as rig:
            live = command(sleepy, "denoise", *options)
            verdict = rig.verdict(SECONDS + 60.0)
            stats = live.stats_when(lambda s: s["counts"]["overloads"] > 1)
            live.process.send_signal(signal.SIGINT)
            ends.append((live.finish(), stats))
        return verdict

    verdict = until_the_machine_is_calm(listen, period_ms=10.0)
    (code, err, seconds), stats = ends[-1]
    print(f"{verdict.altered} samples altered, {stats['counts']['overloads']} rests, "
          f"ended {seconds:.2f} s after Ctrl-C")  # fmt: skip
    check_end(code, err, 130)
    assert "the model cannot keep up; it rests" in err
    assert verdict.altered == 0  # of the untouched sound, as late as the model's would be


def broken(path: Path) -> Path:
    """An operation reads a buffer that is not there."""
    model = save_gains(path, 0.5)
    data = model.read_bytes()
    wrong = data.replace(rb"\"inputs\":[0]", rb"\"inputs\":[9]")
    assert wrong != data
    model.write_bytes(wrong)
    return model


@pytest.mark.parametrize("role", ["model", "fallback"])
def test_a_model_that_throws_at_load(serve, command, tmp_path, role):
    server = serve(period=128)
    model = str(broken(tmp_path / "broken.safetensors"))
    arguments = (model,) if role == "model" else ("denoise", "--fallback", model)
    with rig_on(server, "counter", 10**9):
        code, err, _ = command(server.environment, *arguments, *ON_RIG).finish()
        print(err)
        check_end(code, err, 1)
        assert err.count("\n") == 1
        # It has left the device in peace.
        assert flows(command(server.environment, "wire", *ON_RIG).stats_when(flows))
