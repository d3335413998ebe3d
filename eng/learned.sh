#!/usr/bin/env bash
# Makes the tables of learned masks in docs/results.md: one target shape reached by learned masks, random units, weight magnitude, first-order Taylor and from scratch, at equal tokens;
# and learned masks with a fixed against an adaptive mixture of domains.
# usage: eng/learned.sh MODEL TRAIN HELD_OUT OUT "TARGET" LEARN CONTINUE "SETTINGS" ["SEEDS"] ["LEARN_SETTINGS"] ["ROUTES"]
#   TRAIN, HELD_OUT: token rows from `shear tokenize`; TARGET: sizes as options; LEARN, CONTINUE: steps; SETTINGS: options of every training run (batch, held-out rows ...);
#   LEARN_SETTINGS: options of mask learning alone. The steps of mask learning are added to the training of the routes that have none.
#   Environment: RATE, learning rate [3e-4]; LEARN_RATE, that of mask learning [RATE]; CALIBRATION, text for the Taylor criterion as options of `shear prune`; SCRATCH_RATE, rate of the model from scratch [RATE].
#   EVALUATE, options of evaluation of the routes with fixed mixtures, for example "--eval-every 100"; ADAPTIVE, options of the adaptive ones, which change the mixture at each evaluation.
# Stopped or killed, the same command goes on.
set -euo pipefail
model=$(realpath "$1") train=$(realpath "$2") held=$(realpath "$3") out=$(realpath -m "$4") target=$5 learn=$6 continue=$7 settings=$8 seeds=${9:-1 2 3} learnsettings=${10:-} routes=${11:-learned learned-adaptive random magnitude taylor scratch}
cd "$(dirname "$0")/.."
shear=${SHEAR:-./shear}
mkdir -p "$out"
domains=$(find "$train" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -v '\.json$' | sed 's/\.tok$//' | sort)
shares=$(echo "$domains" | awk '{ d[NR] = $1 } END { for (i = 1; i <= NR; i++) printf "%s%s=%.9f", (i > 1 ? "," : ""), d[i], 1 / NR }')
data="--data $train --held-out $held --proportions $shares --force --quiet --json"
equal=$((learn + continue)) rate="--lr ${RATE:-3e-4}"
learnrate="--lr ${LEARN_RATE:-${RATE:-3e-4}}"

rows=$(grep -o -e "--held-out-rows [0-9]*" <<< "$settings" | grep -o "[0-9]*$" || true)
[ -f "$out/reference.json" ] || $shear reference-loss "$model" --data "$held" ${rows:+--rows "$rows"} --out "$out/reference.json" --quiet > /dev/null
adaptive="--sampler reference-loss --reference-losses $out/reference.json ${ADAPTIVE:-}"
fixed=${EVALUATE:-}

report() { # TRAIN.JSON: held-out loss at the end, and how far apart the domains are in what they lack to their reference: standard deviation, largest difference
  grep -o '"evaluation":{[^}]*}' "$1" | sed 's/"\([^"]*\)": *\([0-9.eE+-]*\)/\n\1 \2\n/g' | awk -v reference="$out/reference.json" '
    BEGIN { while ((getline line < reference) > 0) if (split(line, p, "[\": ,]+") >= 3) goal[p[2]] = p[3] }
    $1 == "loss" { loss = $2 }
    $1 in goal { lag = $2 - goal[$1]; n++; sum += lag; square += lag * lag; if (n == 1 || lag > most) most = lag; if (n == 1 || lag < least) least = lag }
    END { printf "loss %.3f, lag behind the reference: mean %.3f, standard deviation %.3f, range %.3f\n", loss, sum / n, sqrt(square / n - sum * sum / n / n), most - least }'
}

stage() { # FILE COMMAND...: runs once, keeps the JSON
  local file=$1; shift
  [ ! -f "$file" ] || return 0
  "$@" > "$file.part"
  if grep -q '"stop":"interrupted"' "$file.part"; then echo "interrupted; the same command goes on" >&2; exit 1; fi
  mv "$file.part" "$file"
}

for seed in $seeds; do
  for route in $routes; do
    d=$out/$seed/$route
    mkdir -p "$d"
    case $route in
      learned)
        stage "$d/learn.json" $shear learn "$model" $target $data $settings $learnsettings $learnrate $fixed --steps "$learn" --seed "$seed" --out "$d/cut"
        stage "$d/train.json" $shear train "$d/cut" $data $settings $rate $fixed --steps "$continue" --seed "$((seed + 1000))" --out "$d/final" ;;
      learned-adaptive)
        stage "$d/learn.json" $shear learn "$model" $target $data $settings $learnsettings $learnrate $adaptive --steps "$learn" --seed "$seed" --out "$d/cut"
        stage "$d/train.json" $shear train "$d/cut" ${data/--proportions $shares/--proportions-from $d/cut.run} $settings $rate $adaptive --steps "$continue" --seed "$((seed + 1000))" --out "$d/final" ;;
      random|magnitude|taylor)
        scorer=$route; [ "$route" != taylor ] || scorer=gate-taylor
        text=""; [ "$route" != taylor ] || text=${CALIBRATION:?set CALIBRATION to the text for Taylor, for example "--file train.jsonl --samples 64"}
        [ -d "$d/cut" ] || $shear prune "$model" --scorer "$scorer" $target $text --seed "$seed" --out "$d/cut" --quiet --json > "$d/prune.json"
        stage "$d/train.json" $shear train "$d/cut" $data $settings $rate $fixed --steps "$equal" --seed "$seed" --out "$d/final" ;;
      scratch)
        [ -d "$d/cut" ] || $shear prune "$model" --scorer random $target --seed "$seed" --out "$d/cut" --quiet --json > "$d/prune.json"
        stage "$d/train.json" $shear train "$d/cut" $data $settings --from-scratch --lr "${SCRATCH_RATE:-${RATE:-3e-4}}" $fixed --steps "$equal" --seed "$seed" --out "$d/final" ;;
    esac
    echo "$seed $route $(report "$d/train.json")"
  done
done
