// Entry point of `shear`: connects the process's console and its Ctrl-C to the command line.
using System.Runtime.InteropServices;
using LlmShearing.Cli;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;

LlmShearing.Devices.TorchProcess.Prepare();
using var cancellation = new CancellationTokenSource();

// The first signal asks the work to stop and clean up; a second one ends the process at once.
void Stop(PosixSignalContext context)
{
    context.Cancel = !cancellation.IsCancellationRequested;
    cancellation.Cancel();
}

using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);   // the terminal was closed
return await ShearCommandLine.RunAsync(args, Surroundings.OfProcess(), cancellation.Token).ConfigureAwait(false);
