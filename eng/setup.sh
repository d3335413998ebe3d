#!/usr/bin/env bash
# Decides where TorchSharp comes from, and prepares it. Quick when everything is in place already.
#
#   package  the package feed has TorchSharp, and this system can load it: nothing to build.
#   system   one of the two is not so: libtorch is installed where needed, and the bridge of native/ is built with CMake.
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
probe=$root/artifacts/probe
feed_has_package() {
  local range
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
  dotnet restore "$probe/probe.csproj" > "$probe/restore.log" 2>&1
}

# Can this system load what feed_has_package restored? TorchSharp 0.107 wants the libstdc++ of GCC 13, which Debian 12 and Ubuntu 22.04 lack,
# and has nothing for some processors. Only the versions of system libraries are looked at: libtorch itself is another, large package.
system_loads_package() {
  [ "$(uname -s)" = Linux ] || return 0
  local assets=$probe/obj/project.assets.json folder package rid library wanted
  folder=$(sed -n '/"packageFolders"/{n;s:.*"\(.*\)".*:\1:p;q}' "$assets")
  package=$(sed -n 's:.*"path"\: "\(torchsharp/[^"]*\)".*:\1:p' "$assets" | head -n 1)
  case $(uname -m) in x86_64) rid=linux-x64 ;; aarch64) rid=linux-arm64 ;; *) rid=linux-$(uname -m) ;; esac
  library=${folder%/}/$package/runtimes/$rid/native/libLibTorchSharp.so
  if [ ! -f "$library" ]; then
    say "the package has no native library for $rid"
    return 1
  fi
  wanted=$(LC_ALL=C ldd "$library" 2>&1 | sed -n "s/.*version .\([A-Z]*_[0-9.]*\). not found.*/\1/p" | sort -u | tr '\n' ' ')
  [ -z "$wanted" ] && return
  say "the package is there (${package}), but this system's libraries are too old for it: it needs ${wanted% }"
  return 1
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
  if feed_has_package && system_loads_package; then supplier=package; else supplier=system; fi
  rm -rf "$probe"
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
