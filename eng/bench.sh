#!/usr/bin/env bash
# Runs the benchmarks. Each prints ratios measured side by side in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in bench/*/*.csproj; do
  echo "== $(basename "$project" .csproj)"
  dotnet run --project "$project" -c Release -v quiet -- "$@"
done
