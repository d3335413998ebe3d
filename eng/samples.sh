#!/usr/bin/env bash
# Runs every sample on the embedded demo model.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in samples/*/*.csproj; do
  echo "== $(basename "$project" .csproj)"
  dotnet run --project "$project" -c Release -v quiet
done
