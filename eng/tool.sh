#!/usr/bin/env bash
# Installs the packed tool in a folder of its own, and inspects and prunes the embedded demo model with it. After ./build.sh pack.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
dotnet tool install --tool-path "$folder/tool" --add-source artifacts/packages LlmShearing.Cli
"$folder/tool/shear" inspect samples/models/demo-llama-2.5m
"$folder/tool/shear" prune samples/models/demo-llama-2.5m --scorer magnitude --remove 2 --out "$folder/smaller" --quiet
"$folder/tool/shear" inspect "$folder/smaller"
