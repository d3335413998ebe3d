#!/usr/bin/env bash
# Packs the four libraries and the tool into artifacts/packages.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf artifacts/packages
for project in src/*/*.csproj; do
  dotnet pack "$project" -c Release -v quiet --nologo -o artifacts/packages
done
ls -1 artifacts/packages
if grep -q '>system<' artifacts/supplier.props 2>/dev/null; then
  echo "Note: the four libraries depend on NuGet TorchSharp. The tool's package carries what it runs on, here the drop-in over a"
  echo "system libtorch: it serves machines like this one. Pack it where the feed has TorchSharp before publishing it."
fi
