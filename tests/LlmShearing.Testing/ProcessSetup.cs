// Test processes wait asleep for work: several of them share a machine.
using System.Runtime.CompilerServices;

namespace LlmShearing.Testing;

internal static class ProcessSetup
{
    [ModuleInitializer]
    internal static void Run() => TorchProcess.Prepare();
}
