#!/usr/bin/env bash
# The one entrance on Linux and macOS. Nothing has to be installed but the .NET SDK; every verb builds what it needs.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDTERMINALLOGGER=off

usage() {
  cat <<'EOF'
usage: ./build.sh VERB

  demo    prune the embedded demo LLaMA with every depth criterion and write a Hugging Face folder
          demo --learned: learned masks, beside magnitude pruning to the same shape
  test    build and run all tests; last line: N passed, N failed, N skipped
  bench   run the benchmarks (ratios; a few minutes)
  pack    make the NuGet packages in artifacts/packages
  clean   remove artifacts/
EOF
}

build() {  # builds quietly; shows the log when it fails
  local log=artifacts/build.log
  mkdir -p artifacts
  if ! dotnet build LlmShearing.sln -c Release -v quiet >"$log" 2>&1; then
    cat "$log" >&2
    echo "The build failed; the log above is in $log." >&2
    return 1
  fi
}

case "${1:-}" in
  demo)  shift; exec bash eng/demo.sh "$@" ;;
  test)  build; shift; exec bash eng/test.sh "$@" ;;
  bench) build; shift; exec bash eng/bench.sh "$@" ;;
  pack)  exec bash eng/pack.sh ;;
  clean) rm -rf artifacts ;;
  ''|help|-h|--help) usage ;;
  *) echo "Unknown verb '$1'." >&2; usage >&2; exit 2 ;;
esac
