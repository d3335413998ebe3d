#!/usr/bin/env bash
# Runs every sample on the embedded demo model; that of recovery by both of its routes.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf artifacts/shear-and-recover artifacts/shear-and-recover-learned   # their runs would go on where the last ones ended, and refuse text that has changed since
for project in samples/*/*.csproj; do
  echo "== $(basename "$project" .csproj)"
  dotnet run --project "$project" -c Release -v quiet
done
echo "== ShearAndRecover, learned masks"
dotnet run --project samples/ShearAndRecover -c Release -v quiet -- --Recovery:Route=learned --Recovery:Output=artifacts/shear-and-recover-learned
