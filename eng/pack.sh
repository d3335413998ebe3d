#!/usr/bin/env bash
# Packs the libraries and the tool into artifacts/packages. The tool contains libtorch, so it has one package for each platform and a small
# one that points to them. By default it is made for this platform only; for more, each of which fetches its libtorch:
#   ToolPlatforms='linux-x64;osx-arm64;win-x64;win-arm64' ./build.sh pack
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf artifacts/packages
for project in src/*/*.csproj; do
  dotnet pack "$project" -c Release -v quiet --nologo -o artifacts/packages -p:CreateHardLinksForPublishFilesIfPossible=true
done
rm -rf artifacts/publish   # what the tool's package was made of
ls -1 artifacts/packages
