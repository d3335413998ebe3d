#!/usr/bin/env bash
# Makes the table of docs/results.md: every depth criterion on one model, a quarter of its blocks removed.
# usage: eng/results.sh MODEL CALIBRATION.jsonl EVALUATION.jsonl [OUT]     environment: COMPUTE, float32 or bfloat16 [float32]
set -euo pipefail
model=$1 calibration=$2 evaluation=$3 out=${4:-artifacts/results} compute=${COMPUTE:-float32}
cd "$(dirname "$0")/.."
mkdir -p "$out"
field() { grep -o "\"$2\":[^,}]*" "$1" | head -n 1 | cut -d: -f2; }
list() { grep -o "\"$2\":\[[^]]*\]" "$1" | head -n 1 | cut -d: -f2 | tr -d '[]' | tr ',' ' '; }

./shear eval "$model" --file "$evaluation" --protocol shortened-llama --compute "$compute" --json --quiet > "$out/dense.json"
echo "dense: perplexity $(field "$out/dense.json" perplexity) on $(field "$out/dense.json" tokens) tokens"
echo
echo "| criterion | removed, least important first | parameters | perplexity | seconds |"
echo "|---|---|--:|--:|--:|"
for criterion in magnitude taylor block-perplexity block-influence angular; do
  ./shear prune "$model" --scorer "$criterion" --ratio 0.25 --compute "$compute" --file "$calibration" --out "$out/$criterion" --force --json --quiet > "$out/$criterion.json"
  ./shear eval "$out/$criterion" --file "$evaluation" --protocol shortened-llama --compute "$compute" --json --quiet > "$out/$criterion.eval.json"
  echo "| $criterion | $(list "$out/$criterion.json" removed) | $(field "$out/$criterion.json" parameters_after) | $(field "$out/$criterion.eval.json" perplexity) | $(field "$out/$criterion.json" seconds) |"
done
