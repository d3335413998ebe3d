// Reading and writing a tensor's elements from .NET.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp.Runtime;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The tensor's memory itself, not a copy: valid while the tensor lives. Contiguous CPU tensors only.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                if (!is_contiguous()) throw new NotImplementedException("bytes needs a contiguous tensor: call contiguous() first.");
                long length = checked(NumberOfElements * ElementSize);
                if (length > int.MaxValue) throw new NotImplementedException($"bytes covers at most {int.MaxValue} bytes; the tensor has {length}.");
                return length == 0 ? default : new Span<byte>((void*)DataPointer(), (int)length);
            }

            set
            {
                Span<byte> target = bytes;
                if (value.Length != target.Length)
                    throw new ArgumentException($"The tensor has {target.Length} bytes; {value.Length} were given.", nameof(value));
                value.CopyTo(target);
            }
        }

        internal nint DataPointer()
        {
            nint pointer = Native.lts_data(Handle);
            if (pointer == 0 && NumberOfElements > 0) Native.Throw();
            GC.KeepAlive(this);
            return pointer;
        }

        /// <summary>A live view of the elements, whatever the strides.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            RequireType(typeof(T));
            return new TensorAccessor<T>(this);
        }

        public unsafe T item<T>() where T : unmanaged
        {
            RequireType(typeof(T));
            if (NumberOfElements != 1)
                throw new ArgumentException($"item needs a tensor of one element; this one has shape [{string.Join(", ", shape)}].");
            return *(T*)DataPointer();
        }

        internal unsafe double ScalarAsDouble()
        {
            if (NumberOfElements != 1)
                throw new ArgumentException($"Only a tensor of one element converts to a number; this one has shape [{string.Join(", ", shape)}].");
            nint p = DataPointer();
            return dtype switch
            {
                ScalarType.Float32 => *(float*)p,
                ScalarType.Float64 => *(double*)p,
                ScalarType.Int64 => *(long*)p,
                ScalarType.Int32 => *(int*)p,
                ScalarType.Int16 => *(short*)p,
                ScalarType.Int8 => *(sbyte*)p,
                ScalarType.Byte or ScalarType.Bool => *(byte*)p,
                ScalarType.Float16 => (double)*(Half*)p,
                ScalarType.BFloat16 => BitConverter.Int32BitsToSingle(*(ushort*)p << 16),
                var other => throw new NotSupportedException($"{other} does not convert to a number."),
            };
        }

        internal long ScalarAsInt64() => dtype == ScalarType.Int64 ? item<long>() : (long)ScalarAsDouble();

        public Scalar ToScalar() => dtype switch
        {
            ScalarType.Bool => ScalarAsDouble() != 0,
            ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 => ScalarAsDouble(),
            _ => ScalarAsInt64(),
        };

        public bool is_nonzero() => ScalarAsDouble() != 0;

        public static explicit operator float(Tensor value) => (float)value.ScalarAsDouble();
        public static explicit operator double(Tensor value) => value.ScalarAsDouble();
        public static explicit operator long(Tensor value) => value.ScalarAsInt64();
        public static explicit operator int(Tensor value) => (int)value.ScalarAsInt64();
        public static explicit operator short(Tensor value) => (short)value.ScalarAsInt64();
        public static explicit operator byte(Tensor value) => (byte)value.ScalarAsInt64();
        public static explicit operator sbyte(Tensor value) => (sbyte)value.ScalarAsInt64();
        public static explicit operator bool(Tensor value) => value.ScalarAsDouble() != 0;

        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            using var whole = contiguous();
            stream.Write(whole.bytes);
        }

        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024) => stream.ReadExactly(bytes);

        private void RequireType(Type type)
        {
            ScalarType expected =
                type == typeof(float) ? ScalarType.Float32 : type == typeof(double) ? ScalarType.Float64
                : type == typeof(long) ? ScalarType.Int64 : type == typeof(int) ? ScalarType.Int32
                : type == typeof(short) ? ScalarType.Int16 : type == typeof(sbyte) ? ScalarType.Int8
                : type == typeof(byte) ? ScalarType.Byte : type == typeof(bool) ? ScalarType.Bool
                : type == typeof(Half) ? ScalarType.Float16
                : throw new ArgumentException($"{type.Name} is no element type of a tensor.");
            if (dtype != expected) throw new ArgumentException($"The tensor holds {dtype}, not {type.Name}.");
        }

        /// <summary>What the shape is, and the elements of small tensors.</summary>
        public override string ToString() =>
            IsInvalid ? "disposed tensor" : $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";
    }
}
