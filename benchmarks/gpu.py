"""What a GPU does: autoregressive WaveNets, diffusion, denoisers, as JSON with its name.

python benchmarks/gpu.py benchmarks/results/gpu.json           # `./dev gpu` runs it
python benchmarks/gpu.py build/rehearsal.json --rehearse       # tiny, on the CPU: the same lines

Each row (gpu_rows.py) is a process with a time budget: a row that fails or hangs is noted in the
JSON, with what it had measured until then, and the others go on. Ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpu_rows import FAILED, FULL, ROWS, TINY, Sizes

from rtaudio import _native
from rtaudio.bench.hardware import describe_machine

LEAST = 5.0  # seconds that are worth starting a row for


def measure(name: str, out: Path, sizes: Sizes) -> None:
    """A row in this process: a line of JSON a result, as they come."""
    with out.open("a") as file:
        for result in ROWS[name].measure(sizes):
            file.write(json.dumps(result) + "\n")
            file.flush()


def run_row(command: list[str], out: Path, seconds: float) -> dict[str, Any]:
    """A row in a process of its own, which writes to `out`. It may start others (compilers do), so
    its whole session is ended, and nobody waits for what they hold open."""
    started, error = time.perf_counter(), None
    said = out.with_suffix(".err")
    with said.open("w") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
        )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        error = f"ended after {seconds:.0f} s, its budget"
    else:
        if code != 0:
            lines = said.read_text(errors="replace").splitlines()
            last = [line for line in lines if line.strip()][-1:]
            error = f"exit code {code}: {''.join(last)[-300:]}"
    lines = out.read_text().splitlines() if out.exists() else []
    results = [json.loads(line) for line in lines if _is_whole(line)]
    failed = [each["error"] for each in results if each.get("kind") == FAILED]
    return {
        "results": results,
        "seconds": round(time.perf_counter() - started, 1),
        "error": error or "; ".join(failed) or None,
    }


def _is_whole(line: str) -> bool:
    """A process that was ended may leave half a line."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def run_rows(
    names: Iterable[str],
    command: Callable[[str, Path], list[str]],
    limit: float,
    tell: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """By name, within `limit` seconds together."""
    end, rows = time.perf_counter() + limit, {}
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            left = end - time.perf_counter()
            if left < LEAST:
                rows[name] = {"results": [], "seconds": 0.0, "error": "no time was left for it"}
            else:
                out = Path(folder) / f"{i}.jsonl"
                rows[name] = run_row(command(name, out), out, min(left, ROWS[name].budget))
            for line in row_lines(name, rows[name]):
                tell(line)
    return rows


def row_lines(name: str, row: dict[str, Any]) -> list[str]:
    lines = [f"{name} ({row['seconds']} s)"]
    for each in row["results"]:
        if each["kind"] == "ceilings":
            about = f"{each['tmacs']} TMAC/s, copies {each['gbytes_per_second']:.0f} GB/s"
            lines.append(f"  {each['precision']}: {about}")
        if each["kind"] == "diffusion_step":
            ours, eager = (t["us_per_call"]["p50"] for t in (each, each["peers"]["torch eager"]))
            lines.append(f"  {each['shape']}: {ours:.1f} us, torch eager {eager:.1f} us")
        lines += [f"  left out: {note}" for note in each.get("left_out", ())]
        if "us_per_block" not in each:
            continue
        times = each["us_per_block"]
        floor = each.get("floor_us")
        peers = faster(each)
        lines.append(
            f"  {each['precision']}, {each['lanes']} lanes: {each['samples_per_second']:,} /s, "
            f"block p50 {times['p50'] / 1e3:.3f} ms, p99.9 {times['p999'] / 1e3:.3f} ms"
            + ("" if floor is None else f", floor {floor:.4g} us")
            + (", in real time" if each.get("real_time") else "")
            + ("" if each["error"] is None else f", error {each['error']:.2g}")
            + (f"; {peers}" if peers else "")
        )
    return [*lines, *([f"  failed: {row['error']}"] if row["error"] else [])]


def faster(each: dict[str, Any]) -> str:
    """By how much than each peer, on the same weights in the same run."""
    ours = each["us_per_sample"]
    return ", ".join(f"{n} {p['us_per_sample'] / ours:.1f}x" for n, p in each["peers"].items())


def summary(rows: dict[str, dict[str, Any]]) -> list[str]:
    """What is asked of a GPU, a line each; nothing of what was not measured."""

    def found(name: str) -> list[dict[str, Any]]:
        results = rows.get(name, {}).get("results", [])
        return [each for each in results if each["kind"] != FAILED]

    lines = [
        f"nv, one stream, {each['precision']}: {each['samples_per_second']:,} /s"
        for each in found("nv, one stream")
    ]
    lines += [
        f"DiffWave base, 6 steps, {each['precision']}: {each['ms_per_chunk']} ms a chunk of "
        f"{each['block_samples']} samples; {faster(each)}"
        for each in found("DiffWave base, 6 steps, one stream")
    ]
    for name, row in rows.items():
        kept = [each for each in row["results"] if "real_time" in each and each["lanes"] > 1]
        for precision in dict.fromkeys(each["precision"] for each in kept):
            tried = {e["lanes"]: e["real_time"] for e in kept if e["precision"] == precision}
            most = max((lanes for lanes, ok in tried.items() if ok), default=0)
            of = ", ".join(map(str, tried))
            lines.append(f"{name}, {precision}: {most} in real time at p99.9, of {of}")
    return lines


def device() -> dict[str, Any]:
    report = _native.query_cuda()
    if not report.devices:
        sys.exit(f"this needs an NVIDIA GPU: {report.reason}")
    return {
        "device": report.devices[0].name,
        "cuda": report.runtime_version,
        "driver": report.driver_version,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rehearse", action="store_true", help="tiny, on the CPU")
    parser.add_argument("--device", default="cpu", help="of a rehearsal: cpu or emulated")
    parser.add_argument("--limit", type=float, default=240.0, metavar="S", help="for all rows")
    parser.add_argument("--row", choices=ROWS, help="this one alone, in this process")
    args = parser.parse_args(arguments)
    if args.row is not None:
        if args.rehearse:
            rehearsing()
        measure(args.row, args.out, replace(TINY, device=args.device) if args.rehearse else FULL)
        return 0
    about = {"device": "rehearsal on the CPU"} if args.rehearse else device()

    def command(name: str, out: Path) -> list[str]:
        rest = ["--rehearse", "--device", args.device] if args.rehearse else []
        return [sys.executable, __file__, str(out), "--row", name, *rest]

    rows = run_rows(ROWS, command, args.limit, lambda line: print(line, flush=True))
    machine = describe_machine()
    told = summary(rows)
    print("\n".join(["", about["device"], *told]), flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(
        json.dumps({**about, "machine": machine, "summary": told, "rows": rows}, indent=1) + "\n"
    )
    failed = [name for name, row in rows.items() if row["error"]]
    if failed:
        print(f"rows that failed: {'; '.join(failed)}", file=sys.stderr)
    return bool(failed)


def rehearsing() -> None:
    """What a CPU lacks: a CUDA graph is replayed as the call itself, and nothing is compiled. Nor
    are parts timed by themselves, which a GPU does not do, and limits are measured in a hurry."""
    import torch

    from rtaudio.bench import diffusion, hardware, torch_peers

    hardware._SECONDS = 0.01
    diffusion._shares = lambda vocoder, frames: {}
    torch_peers.captured = lambda run, device: run
    torch.compile = lambda function, **_: function


if __name__ == "__main__":
    sys.exit(main())
