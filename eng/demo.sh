#!/usr/bin/env bash
# The main job on the embedded demo model: a quarter of its blocks removed by every depth criterion; with --learned, masks. Downloads nothing.
# Text for calibration and evaluation is the reference documentation of the .NET SDK; this repository's own where an SDK has none.
set -euo pipefail
cd "$(dirname "$0")/.."
exec ./shear demo samples/models/demo-llama-2.5m --out artifacts/demo --text-folder . "$@"
