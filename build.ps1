# The one entrance on Windows. TorchSharp comes from the package feed there.
param([string]$Verb = "", [Parameter(ValueFromRemainingArguments)][string[]]$Rest)
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot
$env:DOTNET_CLI_TELEMETRY_OPTOUT = "1"
$env:TorchSharpSupplier = "package"

function Invoke-Checked([scriptblock]$Command) {
    & $Command
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

switch ($Verb) {
    "setup" { Write-Output "Nothing to prepare: TorchSharp comes from NuGet." }
    "demo"  { Invoke-Checked { dotnet run --project src/LlmShearing.Cli -c Release -v quiet -- demo samples/models/demo-llama-2.5m --out artifacts/demo --text-folder . @Rest } }
    "test"  { Invoke-Checked { dotnet test LlmShearing.sln -c Release @Rest } }
    "bench" { Get-ChildItem bench -Filter *.csproj -Recurse | ForEach-Object { $p = $_.FullName; Invoke-Checked { dotnet run --project $p -c Release -v quiet -- @Rest } } }
    "pack"  { Get-ChildItem src -Filter *.csproj -Recurse | ForEach-Object { $p = $_.FullName; Invoke-Checked { dotnet pack $p -c Release -o artifacts/packages } } }
    "clean" { if (Test-Path artifacts) { Remove-Item artifacts -Recurse -Force } }
    default { Write-Output "usage: ./build.ps1 setup|demo|test|bench|pack|clean"; if ($Verb) { exit 2 } }
}
