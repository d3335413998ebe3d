// torch.Tensor itself: the handle, its lifetime, and what can be read off it without computing anything.
// The operators live in the sibling files by topic.
using TorchSharp.Runtime;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor : IDisposable
    {
        private nint handle;
        private static long totalCount, peakCount;

        /// <summary>The scope that will dispose this tensor, and this tensor's place in it.</summary>
        internal DisposeScope? OwningDisposeScope;
        internal int ScopeSlot;

        /// <summary>Takes over one native reference.</summary>
        internal Tensor(nint handle, bool register = true)
        {
            this.handle = handle;
            long count = Interlocked.Increment(ref totalCount);
            if (count > Volatile.Read(ref peakCount)) Volatile.Write(ref peakCount, count);
            if (register) DisposeScopeManager.Register(this);
        }

        ~Tensor() => Dispose(false);

        public void Dispose()
        {
            GC.SuppressFinalize(this);
            Dispose(true);
        }

        protected virtual void Dispose(bool disposing)
        {
            nint h = Interlocked.Exchange(ref handle, 0);
            if (h == 0) return;
            if (disposing) DisposeScopeManager.OnDisposed(this);
            Native.lts_release(h);
            Interlocked.Decrement(ref totalCount);
        }

        /// <summary>Gives the native reference away; this object is then empty, and still counted as the original does.</summary>
        public IntPtr DecoupleFromNativeHandle()
        {
            GC.SuppressFinalize(this);
            nint h = Handle;
            handle = 0;
            return h;
        }

        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        public IntPtr Handle => handle != 0 ? handle : throw new InvalidOperationException("The tensor has been disposed.");
        public bool IsInvalid => handle == 0;
        public static long TotalCount => Volatile.Read(ref totalCount);
        public static long PeakCount => Volatile.Read(ref peakCount);

        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is { } scope) scope.MoveToOther(other, this);
            else other?.Attach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        // -- metadata -------------------------------------------------------------------------------------------------

        public ScalarType dtype => (ScalarType)Alive(Native.lts_dtype(Handle));
        public long ndim => Alive(Native.lts_dim(Handle));
        public long Dimensions => ndim;
        public long dim() => ndim;
        public long NumberOfElements => Alive(Native.lts_numel(Handle));
        public long numel() => NumberOfElements;
        public long ElementSize => Alive(Native.lts_element_size(Handle));
        public long element_size() => ElementSize;
        public long storage_offset() => Alive(Native.lts_storage_offset(Handle));
        public bool is_contiguous() => Alive(Native.lts_is_contiguous(Handle)) != 0;

        public unsafe long[] shape
        {
            get
            {
                var sizes = new long[ndim];
                fixed (long* p = sizes) Native.lts_sizes(Handle, p);
                GC.KeepAlive(this);
                return sizes;
            }
        }

        public long[] size() => shape;
        public long size(int dim) => At(shape, dim);

        public unsafe long[] stride()
        {
            var strides = new long[ndim];
            fixed (long* p = strides) Native.lts_strides(Handle, p);
            GC.KeepAlive(this);
            return strides;
        }

        public long stride(int dim) => At(stride(), dim);

        public unsafe Device device
        {
            get
            {
                int type, index;
                Native.lts_device(Handle, &type, &index);
                GC.KeepAlive(this);
                return type == (int)DeviceType.CPU ? CPU : type == (int)DeviceType.META ? META : new Device((DeviceType)type, index);
            }
        }

        public DeviceType device_type => device.type;
        public int device_index => device.index;
        public bool is_cuda => device_type == DeviceType.CUDA;
        public bool is_meta => device_type == DeviceType.META;
        public bool is_cpu() => device_type == DeviceType.CPU;
        public bool is_sparse => false;

        public bool is_floating_point() => torch.is_floating_point(dtype);
        public bool is_integral() => torch.is_integral(dtype);
        public bool is_complex() => torch.is_complex(dtype);

        /// <summary>Elementwise, as the original is; compare whole tensors with <see cref="Equals(Tensor)"/>.</summary>
        public Tensor equal(Tensor target) => eq(target);

        public bool Equals(Tensor target) => Operators.RunBool("aten::equal", this, target);
        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);
        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        // Keeps this object, and so its handle, alive until a metadata call has returned.
        private T Alive<T>(T value)
        {
            GC.KeepAlive(this);
            return value;
        }

        private static long At(long[] values, int dim)
        {
            int i = dim < 0 ? dim + values.Length : dim;
            return (uint)i < (uint)values.Length ? values[i]
                : throw new ArgumentOutOfRangeException(nameof(dim), dim, $"The tensor has {values.Length} dimensions.");
        }
    }
}
