// Random generators: libtorch's own, so that numbers equal PyTorch's bit for bit.
using TorchSharp.Runtime;

namespace TorchSharp;

public static partial class torch
{
    public class Generator : IDisposable
    {
        private nint handle;

        public Generator(ulong seed = 0, Device? device = null)
        {
            if (device is not null && device.type != DeviceType.CPU)
                throw new NotSupportedException($"Generators exist on the CPU only; {device} was asked for.");
            handle = Native.CheckHandle(Native.lts_generator_new(seed));
            this.device = CPU;
        }

        private Generator(nint handle)
        {
            this.handle = handle;
            device = CPU;
        }

        ~Generator() => Dispose(false);

        public static Generator Default { get; } = new(Native.CheckHandle(Native.lts_generator_default()));
        public IntPtr Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Generator));
        public Device device { get; }

        public Generator manual_seed(long seed)
        {
            Native.Check(Native.lts_generator_manual_seed(Handle, (ulong)seed));
            return this;
        }

        public long seed() => (long)Native.lts_generator_seed(Handle);
        public long initial_seed() => (long)Native.lts_generator_initial_seed(Handle);
        public Tensor get_state() => new(Native.CheckHandle(Native.lts_generator_get_state(Handle)));

        public void set_state(Tensor value)
        {
            Native.Check(Native.lts_generator_set_state(Handle, value.Handle));
            GC.KeepAlive(value);
        }

        public void Dispose()
        {
            GC.SuppressFinalize(this);
            Dispose(true);
        }

        protected virtual void Dispose(bool disposing)
        {
            nint h = Interlocked.Exchange(ref handle, 0);
            if (h != 0) Native.lts_generator_release(h);
        }
    }

    public static Generator manual_seed(long seed) => Generator.Default.manual_seed(seed);
    public static long initial_seed() => Generator.Default.initial_seed();
    public static long seed() => Generator.Default.seed();
    public static Tensor get_rng_state() => Generator.Default.get_state();
    public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);

    public static class random
    {
        public static Generator manual_seed(long seed) => torch.manual_seed(seed);
        public static long initial_seed() => torch.initial_seed();
        public static long seed() => torch.seed();
        public static Tensor get_rng_state() => torch.get_rng_state();
        public static void set_rng_state(Tensor new_state) => torch.set_rng_state(new_state);
    }

    public static class cuda
    {
        public static bool is_available() => false;
        public static bool is_cudnn_available() => false;
        public static int device_count() => 0;
        public static void manual_seed(long seed) { }
        public static void manual_seed_all(long seed) { }
        public static void synchronize(Device? device = null) { }
    }

    public static bool cuda_is_available() => false;
    public static bool mps_is_available() => false;
    public static int get_num_threads() => Native.lts_get_num_threads();
    public static void set_num_threads(int num) => Native.lts_set_num_threads(num);
    public static int get_num_interop_threads() => Native.lts_get_num_interop_threads();
    public static void set_num_interop_threads(int num) => Native.Check(Native.lts_set_num_interop_threads(num));
}
