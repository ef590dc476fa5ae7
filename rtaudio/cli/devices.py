"""`rtaudio devices`: what can be listened to and played on."""

from __future__ import annotations

import argparse
import json

from rtaudio.cli.main import DONE, NO_DEVICE, fail

DESCRIPTION = "list the sound devices; numbers and names are what -i and -o take"
EPILOG = "exit code: 0, or 3 where there is no device"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def run(args: argparse.Namespace) -> int:
    from rtaudio.live.devices import list_devices
    from rtaudio.live.portaudio import NO_SOUND

    devices = list_devices()
    if args.json:
        print(json.dumps([device.as_json() for device in devices], indent=2))
        return DONE if devices else NO_DEVICE
    if not devices:
        return fail("rtaudio devices", NO_SOUND, NO_DEVICE)
    width = max(len(device.name) for device in devices)
    for d in devices:
        default = {(True, True): "<>", (True, False): "<", (False, True): ">"}.get(
            (d.is_default_input, d.is_default_output), ""
        )
        print(
            f"{default:>2} {d.index:>3}  {d.name:<{width}}  {d.input_channels:>3} in "
            f"{d.output_channels:>3} out  {d.sample_rate:>6} Hz  {d.host_api}"
        )
    print("\n< default input, > default output")
    return DONE
