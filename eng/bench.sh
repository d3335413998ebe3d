#!/usr/bin/env bash
# Runs the benchmarks on a model (default: the embedded one). Each prints JSON with ratios measured side by side in one run.
# usage: ./build.sh bench [MODEL_FOLDER] [FOLDER_WITH_JSONL]    (the second is needed for the tokenizer)
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-samples/models/demo-llama-2.5m}
run() { echo "== $1"; "artifacts/bin/$1/release/$1" "${@:2}"; }
run Forward "$model"
run Scoring "$model" 10 128 4
run Streaming "$model"
run CheckpointSpeed
run Training "$model"
run Training memory "$model"
run DataStreams
if [ -n "${2:-}" ]; then
  run TokenizerSpeed "$model" "$2"
  run TokenizeSpeed "$model" "$2"
else
  echo "== TokenizerSpeed, TokenizeSpeed: skipped, need a folder with .jsonl files as the second argument"
fi
