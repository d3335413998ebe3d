#!/usr/bin/env bash
# Makes the recovery table of docs/results.md: a model without a quarter of its blocks, recovered in three ways at equal tokens, perplexity by domain.
# usage: eng/recovery.sh MODEL TRAIN HELD_OUT OUT [TOKENS]
#   TRAIN, HELD_OUT: folders with a subfolder of .jsonl files for each domain, of different documents; the same domains in both.
# Stopped or killed, the same command goes on. Two cores need about 20 minutes for SmolLM2-135M and 200,000 tokens.
set -euo pipefail
model=$(realpath "$1") train=$(realpath "$2") held=$(realpath "$3") out=$(realpath -m "$4") tokens=${5:-200000}
cd "$(dirname "$0")/.."
mkdir -p "$out"
field() { grep -o "\"$2\":{[^}]*}" "$1" | head -n 1 | sed 's/^[^{]*{//; s/}$//' | tr ',' '\n' | tr -d '"'; }

domains=$(ls "$train")
share=$(echo "$domains" | awk 'END { printf "%.9f", 1 / NR }')
proportions=$(for d in $domains; do printf '%s=%s,' "$d" "$share"; done)
calibration=$(find "$train/$(echo "$domains" | grep -m 1 c4 || echo "$domains" | head -n 1)" -name '*.jsonl' | sort | head -n 1)

[ -d "$out/pruned" ] || ./shear prune "$model" --scorer block-perplexity --ratio 0.25 --file "$calibration" --plan-out "$out/plan.json" --out "$out/pruned"
./shear tokenize "$train" --tokenizer "$model" --length 256 --out "$out/rows/train" --quiet
./shear tokenize "$held" --tokenizer "$model" --length 256 --out "$out/rows/held-out" --quiet

settings="--data $out/rows/train --proportions ${proportions%,} --tokens $tokens --batch-size 8 --micro-batch 8 --no-recompute --schedule cosine --warmup 10 --beta2 0.95 --checkpoint-every 25"
adapter="--rank 32 --alpha 64 --dropout 0 --lr 2e-3"
[ -d "$out/full" ] || ./shear train "$out/pruned" $settings --lr 5e-4 --out "$out/full"
[ -d "$out/lora" ] || ./shear tune "$out/pruned" $settings $adapter --out "$out/lora"
[ -d "$out/distilled" ] || ./shear tune "$out/pruned" $settings $adapter --teacher "$model" --teacher-plan "$out/plan.json" --share-weights --out "$out/distilled"
for a in lora distilled; do
  [ -d "$out/$a-merged" ] || ./shear merge "$out/pruned" --adapter "$out/$a" --out "$out/$a-merged"
done

for m in dense pruned full lora-merged distilled-merged; do
  folder=$out/$m
  [ "$m" != dense ] || folder=$model
  [ -f "$out/$m.json" ] || ./shear eval "$folder" --data "$out/rows/held-out" --rows 24 --json --quiet > "$out/$m.json.part"
  [ -f "$out/$m.json" ] || mv "$out/$m.json.part" "$out/$m.json"
  echo "$m: $(grep -o '"perplexity":[^,]*' "$out/$m.json" | head -n 1) $(for d in $domains; do echo "$d $(field "$out/$m.json" "$d" | grep perplexity | cut -d: -f2)"; done | tr '\n' ' ')"
done
