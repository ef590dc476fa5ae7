"""benchmarks/gpu.py: no line of it runs for the first time on a GPU, and a row that fails loses
nothing but itself."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from rtaudio.bench import diffusion, hardware, torch_peers

torch = pytest.importorskip("torch", reason="its peers")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    # What a rehearsal puts in the place of these is undone.
    for where, name in (
        (torch, "compile"),
        (torch_peers, "captured"),
        (diffusion, "_shares"),
        (hardware, "_SECONDS"),
    ):
        monkeypatch.setattr(where, name, getattr(where, name))
    return gpu


def test_every_row_on_the_cpu(gpu: types.ModuleType, tmp_path: Path) -> None:
    gpu.rehearsing()
    rows = {}
    for i, name in enumerate(gpu.ROWS):
        out = tmp_path / f"{i}.jsonl"
        gpu.measure(name, out, gpu.TINY)
        results = [json.loads(line) for line in out.read_text().splitlines()]
        rows[name] = {"results": results, "seconds": 0.0, "error": None}
        assert results and not [each for each in results if each["kind"] == gpu.FAILED]
        lines = gpu.row_lines(name, rows[name])
        assert len(lines) > 1 or name == "layers"
    peers = {p for row in rows.values() for each in row["results"] for p in each.get("peers", ())}
    assert peers >= {"torch", "torch-graph", "torch-compile", "torch CUDA graph queue"}
    told = "\n".join(gpu.summary(rows))
    for words in (
        "nv, one stream, fp32: ",
        "ms a chunk of 240 samples; torch ",
        "real time at p99.9",
    ):
        assert words in told


def test_a_row_that_fails_keeps_what_it_has(gpu: types.ModuleType, tmp_path: Path) -> None:
    written = json.dumps('{"kind": 1}\n{"ki')  # half a line is no result
    writes = f"import sys; print({written}, file=open(sys.argv[1], 'w'), flush=True);"
    cases = {
        "ends": ("", None),
        "fails": ("raise SystemExit('no such\\nkernel')", "exit code 1: kernel"),
        "dies": ("import os; os.abort()", "exit code -6: "),
        # What it has started holds its pipes open: nobody may wait for that.
        "hangs": ("import os; os.system('sleep 60')", "ended after 4 s, its budget"),
    }
    for name, (rest, error) in cases.items():
        out, limit = tmp_path / name, 4.0 if name == "hangs" else 60.0
        row = gpu.run_row([sys.executable, "-c", writes + rest, str(out)], out, limit)
        assert row["results"] == [{"kind": 1}]
        assert row["error"] == error
    out = tmp_path / "part"
    out.write_text(json.dumps({"kind": gpu.FAILED, "error": "512: no memory"}))
    row = gpu.run_row([sys.executable, "-c", ""], out, 60.0)
    assert row["error"] == "512: no memory"
    assert gpu.row_lines("sweep", row)[-1] == "  failed: 512: no memory"
    row = gpu.run_row([sys.executable, "-c", ""], tmp_path / "nothing", 60.0)
    assert row["results"] == [] and row["error"] is None


def test_what_fails_of_a_sweep_is_told_in_its_place(gpu: types.ModuleType) -> None:
    import gpu_rows

    def made(precision: str, lanes: int) -> dict[str, object]:
        if lanes == 2:
            raise RuntimeError("out of\nmemory")
        return {"kind": "made", "lanes": lanes}

    found = list(gpu_rows.each_of(made, ("fp32",), (1, 2, 3)))
    assert [each["kind"] for each in found] == ["made", gpu.FAILED, "made"]
    assert found[1]["error"] == "fp32, 2: out of memory"


def test_all_of_it_ends_in_time_and_tells_what_failed(
    gpu: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`command` of its own: the first row fails, the second has no time left."""
    names = list(gpu.ROWS)[:2]
    told: list[str] = []

    def command(name: str, out: Path) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('broken')"]

    rows = gpu.run_rows(names[:1], command, 30.0, told.append)
    assert rows[names[0]]["error"] == "exit code 1: broken"
    assert told[-1] == "  failed: exit code 1: broken"
    rows = gpu.run_rows(names, command, 0.0, told.append)
    assert {row["error"] for row in rows.values()} == {"no time was left for it"}
    out = tmp_path / "new" / "gpu.json"
    assert gpu.main([str(out), "--rehearse", "--limit", "0"]) == 1
    assert "rows that failed: ceilings; nv" in capsys.readouterr().err
    assert set(json.loads(out.read_text())["rows"]) == set(gpu.ROWS)
