#!/usr/bin/env bash
# rt-priorgrad-24k from nothing: speech, what is learned from it, both trainings, the model file, its
# scores. On a GPU: DEVICE=cuda, and more minutes.
#   rtaudio/training/rt_priorgrad.sh PACKS OUT [MINUTES]
# PACKS: a folder of voice packs, or one of recordings, a folder a voice (voices.py says what it needs).
set -euo pipefail
packs=$1 out=$2 minutes=${3:-60}
train() { python -m rtaudio.training "$@"; }
loop() { train diffusion-train --cache "$out/cache" --device "${DEVICE:-cpu}" --threads 1 "$@"; }

mkdir -p "$out"
speech=$packs
if compgen -G "$packs/*.bin" >/dev/null; then
  speech=$out/voices
  train voices --packs "$packs" -o "$speech" --minutes 7
fi
train diffusion-data --speech "$speech" --cache "$out/cache" --recordings 20
loop --run "$out/frames" --minutes $((minutes / 4 + 1)) --bfloat16 --learning-rate 2e-3
loop --run "$out/sound" --init "$out/frames/last.pt" --part sound --minutes "$minutes" --bfloat16 --compile
train diffusion-export "$out/sound/last.pt" -o "$out/rt-priorgrad-24k.safetensors"
train vocoder-score "$out/rt-priorgrad-24k.safetensors" --speech "$speech"
