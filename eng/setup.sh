#!/usr/bin/env bash
# Decides where TorchSharp comes from, and prepares it. Quick when everything is in place already.
#
#   package  the package feed has TorchSharp: nothing to build.
#   system   it has not: libtorch is installed where needed, and the bridge of native/ is built with CMake.
#
# TORCHSHARP_SUPPLIER=package|system overrides the detection. The decision is kept in artifacts/supplier.props.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
props=$root/artifacts/supplier.props
bridge=$root/artifacts/native/libLlmShearingTorch.so

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# The answer of an earlier run, if any.
remembered() {
  [ -f "$props" ] && sed -n 's:.*<TorchSharpSupplier>\(.*\)</TorchSharpSupplier>.*:\1:p' "$props" || true
}

remember() {
  [ "$(remembered)" = "$1" ] && return
  mkdir -p "$root/artifacts"
  printf '<Project><PropertyGroup><TorchSharpSupplier>%s</TorchSharpSupplier></PropertyGroup></Project>\n' "$1" > "$props"
  say "TorchSharp comes from: $1"
}

# Does a restore of the package succeed? The probe lies under artifacts/, so that the repository's nuget.config applies.
feed_has_package() {
  local probe=$root/artifacts/probe range
  range=$(sed -n 's:.*<TorchSharpPackageRange>\(.*\)</TorchSharpPackageRange>.*:\1:p' "$root/eng/TorchSharp.props")
  rm -rf "$probe"
  mkdir -p "$probe"
  printf '<Project />\n' | tee "$probe/Directory.Build.props" "$probe/Directory.Build.targets" "$probe/Directory.Packages.props" > /dev/null
  cat > "$probe/probe.csproj" <<EOF
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup><PackageReference Include="TorchSharp" Version="${range:-0.105.2}" /></ItemGroup>
</Project>
EOF
  say "asking the package feed for TorchSharp"
  local found=0
  dotnet restore "$probe/probe.csproj" > "$probe/restore.log" 2>&1 || found=$?
  [ $found -eq 0 ] && rm -rf "$probe"
  return $found
}

have_libtorch() {
  [ -n "${LIBTORCH:-}" ] && [ -d "$LIBTORCH/include" ] && return
  [ -f /usr/include/ATen/core/dispatch/Dispatcher.h ]
}

install_missing() {
  local missing=()
  have_libtorch || missing+=(libtorch-dev libopenblas0-pthread)
  command -v cmake > /dev/null || missing+=(cmake)
  command -v g++ > /dev/null || missing+=(g++)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get > /dev/null || fail "needs ${missing[*]}, and this is no apt system: install libtorch yourself and set LIBTORCH to its folder"
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || fail "needs ${missing[*]}: run as root, or: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

build_bridge() {
  local newest
  newest=$(find "$root/native/bridge" -type f -newer "$bridge" 2> /dev/null | head -n 1 || true)
  [ -f "$bridge" ] && [ -z "$newest" ] && return
  local build=$root/artifacts/bridge
  say "building the bridge over libtorch"
  mkdir -p "$build" "$root/artifacts/native"
  cmake -S "$root/native/bridge" -B "$build" -DCMAKE_BUILD_TYPE=Release > "$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; fail "CMake could not configure the bridge"; }
  cmake --build "$build" -j "$(nproc)" > "$build/build.log" 2>&1 || { tail -n 40 "$build/build.log" >&2; fail "the bridge did not build"; }
  cp "$build/libLlmShearingTorch.so" "$bridge.new"
  mv "$bridge.new" "$bridge"   # never half a file, also while a test run has the old one open
}

supplier=${TORCHSHARP_SUPPLIER:-$(remembered)}
if [ -z "$supplier" ]; then
  if feed_has_package; then supplier=package; else supplier=system; fi
fi

case $supplier in
  package) ;;
  system)
    install_missing
    build_bridge
    ;;
  *) fail "TORCHSHARP_SUPPLIER is '$supplier'; expected package or system" ;;
esac
remember "$supplier"
