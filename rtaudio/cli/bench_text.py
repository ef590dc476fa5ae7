"""Results of `rtaudio bench` as people read them."""

from __future__ import annotations

from typing import Any


def result_lines(result: dict[str, Any] | list[dict[str, Any]]) -> list[str]:
    if isinstance(result, list):  # a sweep of lanes
        return [*(line for each in result for line in (*result_lines(each), "")), _sweep(result)]
    machine = result["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    if result["kind"] == "startup":
        heavy = ", ".join(result["heavy_imports"]) or "none"
        return [
            f"import rtaudio and load {result['model']}, beyond importing numpy",
            f"  until loaded       {result['load_ms']:.1f} ms",
            f"  until first block  {result['first_block_ms']:.1f} ms",
            f"  memory             {result['memory_mb']:.1f} MB",
            f"  heavy imports      {heavy}",
            where,
        ]
    if result["kind"] in ("wavenet", "diffusion", "lanes") and result["device"] != "cpu":
        return [*_device_lines(result), where]
    if result["kind"] == "wavenet":
        return [*_wavenet_lines(result), f"{where}; one thread"]
    if result["kind"] == "diffusion":
        count = result["threads"]
        threads = "one thread" if count == 1 else f"{count} threads; the floor is {count} cores'"
        return [*_diffusion_lines(result), f"{where}; {threads}"]
    if result["kind"] == "lanes":
        from rtaudio.bench.lanes import describe_lanes

        return [*describe_lanes(result), f"{where}; one thread"]
    if result["kind"] == "layers":
        from rtaudio.cli.bench_layers import layers_lines

        return layers_lines(result)
    head = f"{'':<14} {'rate':>6} {'block':>6} {'RTF':>8}  {'p50 / p99 / p99.9 us':<24} latency"
    ours = {f"{result['model']} {result['isa']}": result}
    for level, figures in result["levels"].items():
        ours[f"{result['model']} {level}"] = {**result, **figures}
    rows = [head + "      RTF"]
    rows += [
        f"{_row(name, figures)} {figures['rtf'] / result['rtf']:>7.1f}x"
        for name, figures in {**ours, **result["peers"]}.items()
    ]
    block = result["us_per_block"]["p50"]
    part = result["floor_us"] / block if block else 0.0
    peak = result["peak"]
    decibels = result["si_sdr_db_to_fp32"]
    if decibels is not None:
        rows += ["", f"{result['precision']}: {decibels:.1f} dB SI-SDR against fp32"]
    return [
        *rows,
        "",
        f"floor {result['floor_us']:.1f} us a block, so the median is at {100 * part:.0f} % of "
        "what this machine can do",
        f"({peak['gmacs']:.0f} GMAC/s, weights read at {peak['weight_gbytes_per_second']:.0f} GB/s;"
        f" reached: {result['gmacs']:.1f} GMAC/s at level {result['isa']})",
        f"{where}; one thread",
    ]


def _device_lines(result: dict[str, Any]) -> list[str]:
    from rtaudio.bench.lanes import describe_lanes

    lines = {"wavenet": _wavenet_lines, "diffusion": _diffusion_lines, "lanes": describe_lanes}
    error = result["error"]
    near = [] if error is None else [f"error against the CPU's fp32 {error:.2g}"]
    # Of a loop it is that of the parameters, on the CPU, and said there.
    return [*lines[result["kind"]](result), *(near if result["kind"] != "wavenet" else [])]


def _sweep(results: list[dict[str, Any]]) -> str:
    """How many streams keep up at p99.9, of the numbers that were tried."""
    done = [
        each["lanes"]
        for each in results
        if each["us_per_block"]["p999"] < 1e6 * each["block_samples"] / each["sample_rate"]
    ]
    tried = ", ".join(str(each["lanes"]) for each in results)
    return f"in real time at p99.9: {max(done, default=0)} streams, of {tried}"


def _wavenet_lines(result: dict[str, Any]) -> list[str]:
    """One line an engine, the fastest first, and how far from the floor ours is."""
    engines = {result["model"]: result, **result["peers"]}
    head = (
        f"{'':<20} {'us/sample':>10} {'samples/s':>10} {'RTF':>8} {'p99.9/p50':>10} {'ours is':>9}"
    )
    rows = [head]
    for name, each in sorted(engines.items(), key=lambda item: item[1]["us_per_sample"]):
        tail = each["us_per_block"]["p999"] / each["us_per_block"]["p50"]
        ratio = each["us_per_sample"] / result["us_per_sample"]
        faster = "" if each is result else f"{ratio:.1f}x"
        rows.append(
            f"{name:<20} {each['us_per_sample']:>10.3f} {each['samples_per_second']:>10,.0f} "
            f"{each['rtf']:>8.4f} {tail:>10.2f} {faster:>9}"
        )
    error = result["error"]
    about = "" if error is None else f", error of the parameters against float64 {error:.2g}"
    rows += [
        "",
        f"{result['precision']}, {result['lanes']} lane(s), blocks of {result['block_samples']} "
        f"samples, level {result['isa']}{about}",
    ]
    if result["device"] != "cpu":
        rows.append(f"on {result['device']}")
    return [*rows, _floor_line(result)]


def _diffusion_lines(result: dict[str, Any]) -> list[str]:
    """One line an engine, where the time goes, and how far from the floor ours is."""
    rows = [f"{'':<20} {'us/sample':>10} {'RTF':>8} {'ours is':>9}"]
    peers = [
        (name if name.startswith("torch") else f"package {name}", each)
        for name, each in result["peers"].items()
    ]
    for name, each in [(result["model"], result), *peers]:
        ratio = each["us_per_sample"] / result["us_per_sample"]
        faster = "" if each is result else f"{ratio:.2f}x"
        rows.append(f"{name:<20} {each['us_per_sample']:>10.3f} {each['rtf']:>8.3f} {faster:>9}")
    block, rate = result["us_per_block"], result["sample_rate"]
    where = f"level {result['isa']}" if result["device"] == "cpu" else f"on {result['device']}"
    rows += [
        "",
        f"{result['precision']}, {result['steps']} steps, {result['lanes']} lane(s), blocks of "
        f"{result['block_samples']} samples, {where}: p50 {block['p50'] / 1e3:.2f} ms, p99 "
        f"{block['p99'] / 1e3:.2f} ms, p99.9 {block['p999'] / 1e3:.2f} ms a block; "
        f"{1e3 * result['latency_samples'] / rate:.0f} ms of lookahead",
    ]
    if "shares" in result:
        parts = (f"{name} {100 * part:.1f} %" for name, part in result["shares"].items())
        rows.append(f"time by part: {', '.join(parts)}")
    return [*rows, _floor_line(result)]


def _floor_line(result: dict[str, Any]) -> str:
    reached = f"reached {result['gmacs']:.1f} GMAC/s"
    if "peak" not in result:
        return reached
    part, peak = 100 * result["floor_us"] / result["us_per_sample"], result["peak"]
    return (
        f"floor {result['floor_us']:.3f} us a sample ({part:.0f} % reached): "
        f"{peak['gmacs']:.0f} GMAC/s, weights read at {peak['weight_gbytes_per_second']:.0f} GB/s; "
        f"{reached}"
    )


def _row(name: str, figures: dict[str, Any]) -> str:
    times = " / ".join(f"{figures['us_per_block'][key]:.1f}" for key in ("p50", "p99", "p999"))
    block = 1e3 * figures["block_samples"] / figures["sample_rate"]
    return (
        f"{name:<14} {figures['sample_rate']:>6} {block:>3.0f} ms {figures['rtf']:>8.4f}  "
        f"{times:<24} {figures['latency_ms']:>4.0f} ms"
    )


def suite_lines(results: list[dict[str, Any]], left_out: list[str]) -> list[str]:
    """One line a kind, and how many real-time streams of each this machine carries, on all its
    cores or on the device."""
    timed = [each for each in results if "rtf" in each]
    on = {each["device"] for each in timed} - {"cpu"}
    each_of = "streams on it" if on else "streams a core"
    rows = [f"{'':<22} {'precision':>9} {'us/sample':>10} {'RTF':>8} {each_of:>15}"]
    carried = []
    for each in timed:
        name = f"{each['kind']} {each['model']}"
        streams = int(1 / each["rtf"])
        rows.append(
            f"{name:<22} {each['precision']:>9} {each['us_per_sample']:>10.3f} {each['rtf']:>8.4f} "
            f"{streams:>15}"
        )
        carried.append(f"{streams * (1 if on else each['machine']['cores'])} x {name}")
    rows += [f"left out: {each}" for each in left_out]
    rows += [f"until loaded {r['load_ms']:.0f} ms" for r in results if r["kind"] == "startup"]
    if not results:
        return rows
    machine = results[0]["machine"]
    where = "".join(on) or f"{machine['cpu']}, {machine['cores']} cores"
    return [*rows, f"this machine ({where}) carries, in real time: {' or '.join(carried)}"]


def compare_lines(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[str]:
    """Two runs side by side, by kind, model, precision, level and lanes."""
    known = {_key(each): each for each in second if "us_per_sample" in each}
    rows = [f"{'':<40} {'A us/sample':>12} {'B us/sample':>12} {'A / B':>7}"]
    for each in first:
        other = known.get(_key(each))
        if other is None or "us_per_sample" not in each:
            continue
        a, b = each["us_per_sample"], other["us_per_sample"]
        rows.append(f"{' '.join(map(str, _key(each))):<40} {a:>12.4f} {b:>12.4f} {a / b:>7.2f}")
    if len(rows) == 1:
        return ["the two hold no result of the same kind, model, precision, level and lanes"]
    places = [r[0]["machine"]["cpu"] for r in (first, second)]
    return [*rows, f"A: {places[0]}; B: {places[1]}"]


def _key(result: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(result.get(k, "") for k in ("kind", "model", "precision", "isa", "lanes"))
