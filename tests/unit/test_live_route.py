"""Virtual devices without a sound server: cables of Windows and macOS as lists of devices, what a
crash leaves behind as pactl's output."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from rtaudio.cli.main import main
from rtaudio.errors import DeviceError
from rtaudio.live import Device, devices, route, virtual
from rtaudio.live.devices import api_settings, find_device
from rtaudio.live.route import cable_route, check_alsa_plugin

MME, DIRECT, WASAPI, WDM = "MME", "Windows DirectSound", "Windows WASAPI", "Windows WDM-KS"


def device(index: int, name: str, api: str, inputs: int, outputs: int, default: str = "") -> Device:
    return Device(
        index=index,
        name=name,
        host_api=api,
        input_channels=inputs,
        output_channels=outputs,
        sample_rate=44_100 if api == MME else 48_000,
        low_latency=(0.01, 0.01),
        is_default_input="<" in default,
        is_default_output=">" in default,
    )


# As PortAudio lists a laptop with VB-Cable: MME cuts names at 31 characters.
WINDOWS = [
    device(0, "Microsoft Sound Mapper - Input", MME, 2, 0),
    device(1, "Microphone Array (Realtek(R) Au", MME, 2, 0),
    device(2, "CABLE Output (VB-Audio Virtual ", MME, 2, 0),
    device(3, "Speakers (Realtek(R) Audio)", MME, 0, 2),
    device(4, "CABLE Input (VB-Audio Virtual C", MME, 0, 2),
    device(5, "Microphone Array (Realtek(R) Audio)", DIRECT, 2, 0),
    device(6, "CABLE Input (VB-Audio Virtual Cable)", DIRECT, 0, 2),
    device(7, "Speakers (Realtek(R) Audio)", WASAPI, 0, 2, ">"),
    device(8, "CABLE Input (VB-Audio Virtual Cable)", WASAPI, 0, 2),
    device(9, "CABLE In 16 Ch (VB-Audio Virtual Cable)", WASAPI, 0, 16),
    device(10, "Microphone Array (Realtek(R) Audio)", WASAPI, 2, 0, "<"),
    device(11, "CABLE Output (VB-Audio Virtual Cable)", WASAPI, 2, 0),
    device(12, "CABLE Output (VB-Audio Point)", WDM, 8, 0),
]
CORE = "Core Audio"
MAC = [
    device(0, "BlackHole 16ch", CORE, 16, 16),
    device(1, "BlackHole 2ch", CORE, 2, 2),
    device(2, "MacBook Pro Microphone", CORE, 1, 0, "<"),
    device(3, "MacBook Pro Speakers", CORE, 0, 2),
    device(4, "External Headphones", CORE, 0, 2, ">"),
]


@pytest.fixture
def machine(monkeypatch):
    def have(platform: str, found: list[Device]) -> None:
        monkeypatch.setattr(sys, "platform", platform)
        for module in (devices, route):
            monkeypatch.setattr(module, "list_devices", lambda: found)

    return have


def test_on_windows_wasapi_comes_before_mme(machine):
    machine("win32", WINDOWS)
    assert find_device("microphone array", "input").index == 10
    assert find_device("speakers", "output").index == 7
    assert find_device(None, "input").index == 10
    assert find_device(None, "output").index == 7


def test_vb_cable_is_found_and_told_by_its_other_end(machine):
    machine("win32", WINDOWS)
    found = cable_route("mic", "win32", WINDOWS, (None, None))
    assert (found.input_device, found.output_device) == (10, 8)
    assert "microphone 'CABLE Output (VB-Audio Virtual Cable)'" in found.advice
    found = cable_route("speaker", "win32", WINDOWS, (None, None))
    assert (found.input_device, found.output_device) == (11, 7)
    assert "speaker 'CABLE Input (VB-Audio Virtual Cable)'" in found.advice
    assert cable_route("mic", "win32", WINDOWS, ("usb", None)).input_device == "usb"


def test_blackhole_is_found_the_one_with_fewest_channels(machine):
    machine("darwin", MAC)
    found = cable_route("mic", "darwin", MAC, (None, None))
    assert (found.input_device, found.output_device) == (2, 1)
    assert "microphone 'BlackHole 2ch'" in found.advice
    found = cable_route("speaker", "darwin", MAC, (None, None))
    assert (found.input_device, found.output_device) == (1, 4)


@pytest.mark.parametrize(
    ("platform", "found", "product"),
    [("win32", WINDOWS[:2], "VB-Cable"), ("darwin", MAC[2:], "BlackHole")],
)
def test_without_a_cable_it_is_a_sentence(machine, capsys, platform, found, product):
    machine(platform, found)
    for words in (["virtual-mic", "start"], ["live", "--virtual-mic"], ["virtual-speaker", "stop"]):
        assert main(words) == 3
        err = capsys.readouterr().err
        assert f"install {product}" in err
        assert err.count("\n") == 1


def test_a_cable_that_is_the_default_microphone_is_refused(machine):
    looped = [device(0, "BlackHole 2ch", CORE, 2, 2, "<"), *MAC[3:]]
    machine("darwin", looped)
    with pytest.raises(DeviceError, match=r"default input device is 'BlackHole 2ch'.* by -i"):
        cable_route("mic", "darwin", looped, (None, None))


def test_status_names_the_other_end(machine, capsys):
    machine("win32", WINDOWS)
    assert main(["virtual-mic", "status"]) == 0
    assert capsys.readouterr().out.startswith("choose the microphone 'CABLE Output")


def test_wasapi_may_convert_rates():
    asked = []
    module = SimpleNamespace(WasapiSettings=lambda **options: asked.append(options) or "settings")
    assert api_settings(WINDOWS[8], module) == "settings"
    assert asked == [{"auto_convert": True}]
    assert api_settings(WINDOWS[4], module) is None
    old = SimpleNamespace(WasapiSettings=lambda exclusive=False: None)
    assert api_settings(WINDOWS[8], old) is None


def test_a_server_that_portaudio_cannot_reach_is_a_sentence():
    with pytest.raises(DeviceError, match="install ALSA's plug-in"):
        check_alsa_plugin([device(0, "hw:0,0", "ALSA", 2, 2)])
    check_alsa_plugin([device(0, "pulse", "ALSA", 32, 32)])


@pytest.fixture
def pactl(monkeypatch):
    """What pactl says to each of its commands."""
    answers: dict[str, str] = {}
    monkeypatch.setattr(virtual, "_pactl", lambda *words: answers[" ".join(words)])
    return answers


def modules(owner: str, *, whole: bool = True) -> str:
    lines = [
        "1\tmodule-native-protocol-unix\tauth-anonymous=1",
        "7\tmodule-null-sink\tsink_name=rtaudio_mic_feed channel_map=mono "
        f"sink_properties='device.description=rtaudio-mic-feed{owner}'",
    ]
    if whole:
        lines.append(
            "8\tmodule-remap-source\tsource_name=rtaudio_mic master=rtaudio_mic_feed.monitor"
        )
    return "\n".join(lines)


def test_who_made_a_device_is_known_even_when_numbers_are_used_again(pactl):
    me = virtual._identity(str(os.getpid()))
    listing = "list short modules"
    pactl[listing] = modules("")
    found = virtual.look("mic")
    assert found.numbers == ("7", "8")
    assert (found.whole, found.owner_pid, found.is_left_behind) == (True, None, False)
    pactl[listing] = modules(f" rtaudio.owner={me}")
    assert virtual.look("mic").owner_pid == os.getpid()
    assert not virtual.look("mic").is_left_behind
    other_birth = f"{os.getpid()}-{int(me.partition('-')[2]) + 1}"
    for owner in (other_birth, "999999999-5"):
        pactl[listing] = modules(f" rtaudio.owner={owner}")
        assert virtual.look("mic").owner_pid is None
        assert virtual.look("mic").is_left_behind
    pactl[listing] = modules("", whole=False)
    assert virtual.look("mic").is_left_behind
    assert virtual.look("speaker").numbers == ()


def test_another_live_is_not_disturbed(pactl, machine, capsys):
    machine("linux", [])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        owner = virtual._identity(str(other.pid))
        pactl["list short modules"] = modules(f" rtaudio.owner={owner}")
        assert main(["live", "--virtual-mic"]) == 3
        assert f"another rtaudio live (process {other.pid})" in capsys.readouterr().err
        other.communicate(b"\n")


def listing(*names: str) -> str:
    """As `pactl list sources` has it; a device's description is its name with spaces."""
    return "\n".join(
        f"Source #{i}\n\tState: IDLE\n\tName: {name}\n\tDescription: {name.replace('_', ' ')}\n"
        f'\tDriver: x\n\tProperties:\n\t\tdevice.description = "{name}"'
        for i, name in enumerate(names)
    )


def test_our_own_devices_are_nobodys_microphone_and_speaker(pactl):
    pactl["info"] = "Server Name: x\nDefault Source: usb\nDefault Sink: rtaudio_speaker\n"
    pactl["list sinks"] = listing("rtaudio_speaker", "rtaudio_mic_feed", "phones")
    pactl["list sources"] = listing("webcam", "usb")
    assert virtual.real_default("Source").name == "usb"
    assert virtual.real_default("Sink").name == "phones"
    pactl["info"] = "Default Source: rtaudio_mic\n"
    pactl["list sources"] = listing(
        "phones.monitor", "rtaudio_mic_feed.monitor", "rtaudio_mic", "usb"
    )
    assert virtual.real_default("Source").name == "usb"
    pactl["list sources"] = listing("rtaudio_mic")
    with pytest.raises(DeviceError, match="no microphone beside rtaudio's own"):
        virtual.real_default("Source")


def test_the_servers_own_devices_are_chosen_by_a_part_of_their_names(pactl, monkeypatch):
    pactl["list sources"] = listing(
        "usb_headset.monitor", "usb_headset", "usb_camera", "rtaudio_mic"
    )
    monkeypatch.delenv("PULSE_SOURCE", raising=False)
    ends = route._ends("mic", "USB Head", None)
    assert ends["environment"] == {"PULSE_SOURCE": "usb_headset", "PULSE_SINK": "rtaudio_mic_feed"}
    assert (ends["input_device"], ends["output_device"]) == ("pulse", "pulse")
    assert ends["names"] == ("usb headset", "rtaudio-mic")
    with pytest.raises(DeviceError, match="'usb' fits several: 'usb headset', 'usb camera'"):
        route._ends("mic", "usb", None)
    assert route._ends("mic", "3", None)["input_device"] == "3"
    # Unknown to the server: PortAudio may know it.
    ends = route._ends("mic", "hw:3", None)
    assert ends["environment"] == {"PULSE_SINK": "rtaudio_mic_feed"}
    assert (ends["input_device"], ends["names"][0]) == ("hw:3", "hw:3")
    pactl["list sinks"] = listing("phones", "hall")
    ends = route._ends("speaker", None, "hall")
    assert ends["environment"] == {"PULSE_SINK": "hall", "PULSE_SOURCE": "rtaudio_speaker.monitor"}
    assert ends["names"] == ("rtaudio-speaker", "hall")
