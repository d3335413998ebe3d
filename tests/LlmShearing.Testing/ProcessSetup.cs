// Test processes wait asleep for work: several of them share a machine.
using System.Runtime.CompilerServices;
using LlmShearing.Devices;

namespace LlmShearing.Testing;

internal static class ProcessSetup
{
#pragma warning disable CA2255 // this library belongs to test programs alone
    [ModuleInitializer]
    internal static void Run() => TorchProcess.Prepare();
#pragma warning restore CA2255
}
