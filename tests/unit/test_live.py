"""Live without a sound card: devices by name, the supervisor, sentences and exit codes."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

from rtaudio import _native
from rtaudio.cli import doctor_live
from rtaudio.cli.main import main
from rtaudio.errors import DeviceError, RtaudioError
from rtaudio.live import Device, LiveConfig, devices
from rtaudio.live.config import looks_like_feedback, share_a_clock
from rtaudio.live.overload import Overload
from rtaudio.live.portaudio import with_deadline
from rtaudio.live.stats import decibels, percentile
from rtaudio.live.supervisor import Supervisor


def device(index: int, name: str, api: str = "ALSA", inputs: int = 1, outputs: int = 1) -> Device:
    return Device(
        index=index,
        name=name,
        host_api=api,
        input_channels=inputs,
        output_channels=outputs,
        sample_rate=48_000,
        low_latency=(0.01, 0.01),
        is_default_input=False,
        is_default_output=False,
    )


@pytest.fixture
def machine(monkeypatch):
    """A machine with these devices."""

    def have(*found: Device) -> None:
        monkeypatch.setattr(devices, "list_devices", lambda: list(found))

    return have


def test_devices_are_found_by_number_name_and_part_of_it(machine):
    usb, jack = device(0, "USB Microphone"), device(7, "rig", "JACK Audio Connection Kit")
    machine(usb, jack, device(8, "Speaker", inputs=0))
    assert devices.find_device("usb", "input") == usb
    assert devices.find_device(7, "input") == jack
    assert devices.find_device("7", "output") == jack
    assert devices.find_device("jack", "input") == jack
    assert devices.find_device(None, "input") == jack  # the preferred host API
    with pytest.raises(DeviceError, match="no input device is called 'webcam'; there are: 0 'USB"):
        devices.find_device("webcam", "input")
    with pytest.raises(DeviceError, match="no input device number 8"):
        devices.find_device(8, "input")


def test_a_name_that_fits_several_devices_is_refused_and_apis_are_ranked(machine):
    machine(device(0, "USB one"), device(1, "USB two"))
    with pytest.raises(DeviceError, match="several input devices: 0 'USB one', 1 'USB two'"):
        devices.find_device("usb", "input")
    mme, wasapi = device(0, "Mic", "MME"), device(1, "Mic", "Windows WASAPI")
    machine(mme, wasapi)
    assert devices.find_device("mic", "input") == wasapi


def test_no_device_is_a_sentence(machine):
    machine()
    with pytest.raises(DeviceError, match="no audio device on this machine"):
        devices.find_device(None, "input")
    machine(device(0, "Speaker", inputs=0))
    with pytest.raises(DeviceError, match="no input device on this machine"):
        devices.find_device(None, "input")


def test_a_laptop_would_whistle():
    microphone = device(0, "MacBook Pro Microphone")
    assert looks_like_feedback(microphone, device(1, "MacBook Pro Speakers"))
    assert not looks_like_feedback(microphone, device(1, "External Headphones"))
    assert not looks_like_feedback(device(0, "rig"), device(0, "rig"))


@pytest.mark.parametrize("what", ["devices", "live"])
def test_commands_without_a_sound_card(machine, capsys, what):
    machine()
    assert main([what]) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"rtaudio {what}: there is no audio device on this machine;")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--blocksize", "3"], "'3' is not 16 to 65536 frames of a block"),
        (["--samplerate", "1"], "'1' is not 1000 to 768000 Hz"),
        (["-a", "-500"], "'-500' is not a number of decibels, 0 or more"),
        (["-a", "500"], "-a 500: rt-tcn takes 0 to 120 dB; inf is no limit"),
        (["--latency", "11"], "'11' is not low, high or up to 10 seconds"),
        (["--virtual-mic", "--virtual-speaker"], "not allowed with"),
        (["--latency", "soon"], "'soon' is not low, high"),
        (["--duration", "-1"], "not a number of seconds"),
        (["-a", "loud"], "not a number of decibels"),
        (["--channels", "3"], "invalid choice: 3"),
    ],
)
def test_wrong_calls_are_sentences(capsys, options, words):
    assert main(["live", *options]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_stereo_of_a_mono_microphone_is_refused(machine, capsys):
    machine(device(0, "rig"))
    assert main(["live", "wire", "--channels", "2"]) == 3
    assert "'rig' has one channel" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_said_before_devices_are_opened(machine, capsys):
    machine(device(0, "rig"))
    assert main(["live", "no-such-model"]) == 1
    assert "there is no model 'no-such-model'" in capsys.readouterr().err


class FakeStream:
    """A device under the test's control."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self.closed = False

    @property
    def active(self) -> bool:
        return not self._device.ended

    @property
    def latency_seconds(self) -> None:
        return None

    def close(self, seconds: float) -> bool:
        self.closed = True
        return not self._device.hangs


class FakeDevice:
    def __init__(self) -> None:
        self.beats = 0
        self.flows = True
        self.ended = False
        self.gone = False
        self.hangs = False
        self.num_renewals = 0
        self.streams: list[FakeStream] = []
        self._stop = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._stop.wait(0.005):
            self.beats += self.flows

    def stop(self) -> None:
        self._stop.set()

    def renew(self) -> None:
        self.num_renewals += 1

    def open(self, again: bool) -> FakeStream:
        if self.gone:
            raise DeviceError("it is not there.")
        self.ended, self.flows = False, True
        self.streams.append(FakeStream(self))
        return self.streams[-1]


@pytest.fixture
def fake():
    """A device, and a supervisor that looks after it."""
    device = FakeDevice()
    supervisor = Supervisor(
        open_stream=device.open,
        heartbeat=lambda: device.beats,
        period_seconds=0.001,
        give_up_seconds=1.0,
        refresh_devices=lambda: None,
        renew_portaudio=device.renew,
    )
    yield device, supervisor
    supervisor.stop(0.5)
    device.stop()


def wait_for(condition, seconds: float = 20.0) -> None:
    """Generous: the machine may be busy; what counts is that it comes to pass."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.01)


def test_a_stream_that_ended_is_opened_again(fake):
    device, supervisor = fake
    supervisor.start()
    assert supervisor.state == "running"
    device.flows, device.ended = False, True
    wait_for(lambda: supervisor.counts["reconnections"] == 1)
    wait_for(lambda: supervisor.state == "running")
    assert device.streams[0].closed
    assert any("back after" in event.text for event in supervisor.events)


def test_silence_is_a_stall_and_then_a_reopening(fake):
    device, supervisor = fake
    supervisor.start()
    device.flows = False
    wait_for(lambda: supervisor.state == "stalled")
    device.flows = True
    wait_for(lambda: supervisor.state == "running")
    assert supervisor.counts == {"stalls": 1, "reconnections": 0}
    device.flows = False
    wait_for(lambda: supervisor.counts["reconnections"] == 1)


def test_who_is_silent_again_and_again_is_told_what_helps(fake):
    device, supervisor = fake
    supervisor.start()
    for _ in range(4):
        device.flows = False
        wait_for(lambda: supervisor.state == "stalled")
        device.flows = True
        wait_for(lambda: supervisor.state == "running")
    assert sum("--latency" in event.text for event in supervisor.events) == 1


def test_a_device_that_returns_is_taken_back(fake):
    device, supervisor = fake
    supervisor.start()
    device.gone, device.flows, device.ended = True, False, True
    wait_for(lambda: supervisor.state == "reconnecting")
    device.gone = False
    wait_for(lambda: supervisor.state == "running")
    assert supervisor.counts["reconnections"] == 1


def test_a_device_that_stays_away_is_lost(fake):
    device, supervisor = fake
    supervisor.start()
    device.gone, device.flows, device.ended = True, False, True
    wait_for(lambda: supervisor.state == "lost")
    assert "it is not there" in supervisor.reason


def test_a_server_that_hangs_is_left_behind(fake):
    device, supervisor = fake
    supervisor.start()
    device.hangs, device.flows, device.ended = True, False, True
    wait_for(lambda: supervisor.counts["reconnections"] == 1)
    assert device.num_renewals == 1


def test_an_overload_is_told_once():
    overload = Overload()
    told = [
        text for at in range(100) for text in overload.news(20 <= at < 50 and at % 3 == 0, at / 10)
    ]
    assert told == [
        "the model cannot keep up; it rests, and is tried again",
        "the model keeps up again after 2.7 s",
    ]


def test_two_devices_have_two_clocks():
    usb, jack = device(0, "USB"), device(7, "rig", "JACK Audio Connection Kit")
    assert share_a_clock(usb, usb)
    assert not share_a_clock(usb, device(1, "headphones"))
    assert share_a_clock(jack, device(8, "other", "JACK Audio Connection Kit"))
    server = device(2, "pulse")
    assert server.host_api == "ALSA"
    assert not share_a_clock(server, server)  # its microphone and its speaker are any two
    assert LiveConfig(latency="low").slack_samples(128, 48_000) == 240
    assert LiveConfig(latency="low").slack_samples(480, 48_000) == 480
    assert LiveConfig(latency=0.1).slack_samples(480, 48_000) == 4800
    with pytest.raises(RtaudioError, match="clocks is 'three'; give auto, one or two"):
        LiveConfig(clocks="three").check()


def test_a_call_that_hangs_is_left_alone():
    release = threading.Event()
    assert not with_deadline(release.wait, 0.05)
    release.set()
    assert with_deadline(lambda: None, 20.0)


def test_percentiles_of_loads():
    classes = _native.live_load_classes()
    assert classes == sorted(classes)
    assert percentile([0] * len(classes), 0.99) == 0.0
    engine = _native.LiveEngine(
        model=None,
        sample_rate=1000,
        block=10,
        input_channels=1,
        output_channels=1,
        lanes=1,
        placement="auto",
        ramp_seconds=0.005,
        record_seconds=0,
    )
    x = np.linspace(-0.5, 0.5, 1000, dtype=np.float32)[:, None]
    assert np.array_equal(engine.process(x), x)
    snapshot = engine.snapshot()
    assert sum(snapshot["load_counts"]) == snapshot["blocks"] == 100
    assert 0.0 < percentile(snapshot["load_counts"], 0.5) <= percentile(snapshot["load_counts"], 1)
    assert snapshot["input_peak"] == snapshot["output_peak"] == 0.5
    assert math.isclose(snapshot["input_squares"], float((x.astype(np.float64) ** 2).sum()))


def test_decibels_have_a_floor():
    assert decibels(0.0) == -120.0
    assert decibels(1e-9) == -120.0
    assert decibels(0.1) == pytest.approx(-20.0)


def test_doctor_tells_about_live_sound(machine, monkeypatch):
    machine(device(0, "USB", outputs=0), device(1, "rig", "JACK Audio Connection Kit", inputs=0))
    findings = {finding.topic: finding for finding in doctor_live.sound_card()}
    assert "1 inputs, 1 outputs" in findings["sound"].text
    assert findings["sound"].advice == ""
    assert findings["host APIs"].text == "ALSA, JACK Audio Connection Kit"
    machine(device(0, "USB", outputs=0))
    assert "no sound output device" in next(doctor_live.sound_card()).advice
    monkeypatch.setattr("shutil.which", lambda _: "pactl")
    monkeypatch.setattr("rtaudio.live.virtual.server", lambda: "a server")
    (finding,) = doctor_live.sound_server()
    assert finding.text == "a server"
    assert "install ALSA's plug-in" in finding.advice
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("resource.getrlimit", lambda _: (0, 0))
    (finding,) = doctor_live.real_time_rights()
    assert "priority 0 at most" in finding.text
    assert "rtprio" in finding.advice
