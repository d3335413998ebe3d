# The one entrance on Windows. Nothing has to be installed but the .NET SDK; every verb builds what it needs.
param([string]$Verb = "", [Parameter(ValueFromRemainingArguments)][string[]]$Rest)
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot
$env:DOTNET_CLI_TELEMETRY_OPTOUT = "1"

function Invoke-Checked([scriptblock]$Command) {
    & $Command
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

switch ($Verb) {
    "demo"  { Invoke-Checked { dotnet run --project src/LlmShearing.Cli -c Release -v quiet -- demo samples/models/demo-llama-2.5m --out artifacts/demo --text-folder . @Rest } }
    "test"  { Invoke-Checked { dotnet test LlmShearing.sln -c Release @Rest } }
    "bench" { Get-ChildItem bench -Filter *.csproj -Recurse | ForEach-Object { $p = $_.FullName; Invoke-Checked { dotnet run --project $p -c Release -v quiet -- @Rest } } }
    "pack"  { if (Test-Path artifacts/packages) { Remove-Item artifacts/packages -Recurse -Force }; Get-ChildItem src -Filter *.csproj -Recurse | ForEach-Object { $p = $_.FullName; Invoke-Checked { dotnet pack $p -c Release -o artifacts/packages } } }
    "clean" { if (Test-Path artifacts) { Remove-Item artifacts -Recurse -Force } }
    default { Write-Output "usage: ./build.ps1 demo|test|bench|pack|clean"; if ($Verb) { exit 2 } }
}
