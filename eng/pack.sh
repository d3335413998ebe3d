#!/usr/bin/env bash
# Packs the four libraries and the tool into artifacts/packages.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf artifacts/packages
for project in src/*/*.csproj; do
  dotnet pack "$project" -c Release -v quiet --nologo -o artifacts/packages
done
ls -1 artifacts/packages
