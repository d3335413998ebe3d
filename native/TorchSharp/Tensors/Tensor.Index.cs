// Indexing: numbers, ranges, None, Ellipsis, masks and index tensors, for reading and for writing.
namespace TorchSharp;

public static partial class torch
{
    /// <summary>One entry of an index.</summary>
    public struct TensorIndex
    {
        internal enum Kind { None, Single, Slice, Bool, Tensor, Ellipsis }

        internal Kind Type;
        internal long? Start, Stop, Step;
        internal Tensor? Indices;

        public static TensorIndex Ellipsis = new() { Type = Kind.Ellipsis };
        public static TensorIndex None = new() { Type = Kind.None };
        public static TensorIndex Null = new() { Type = Kind.None };
        public static TensorIndex Colon = Slice();

        public static TensorIndex Single(long? index) => index is null ? None : new() { Type = Kind.Single, Start = index };
        public static TensorIndex Bool(bool value) => new() { Type = Kind.Bool, Start = value ? 1 : 0 };
        public static TensorIndex Tensor(Tensor tensor) => new() { Type = Kind.Tensor, Indices = tensor };
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new() { Type = Kind.Slice, Start = start, Stop = stop, Step = step };
        public static TensorIndex Slice((int? start, int? end) range) => Slice(range.start, range.end);
        public static TensorIndex Slice(Range range) => Slice(Bound(range.Start, false), Bound(range.End, true));

        public static implicit operator TensorIndex(long value) => Single(value);
        public static implicit operator TensorIndex(Index index) => Single(index.IsFromEnd ? -index.Value : index.Value);
        public static implicit operator TensorIndex(Range range) => Slice(range);
        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        // ^0 as an end means "to the end"; every other ^n is a negative index.
        private static long? Bound(Index index, bool end) => !index.IsFromEnd ? index.Value : end && index.Value == 0 ? null : -index.Value;
    }

    public partial class Tensor
    {
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        public Tensor this[params long[] indices]
        {
            get => Pick(indices);
            set => Put(value, indices);
        }

        public Tensor this[long i1] { get => Pick(i1); set => Put(value, i1); }
        public Tensor this[long i1, long i2] { get => Pick(i1, i2); set => Put(value, i1, i2); }
        public Tensor this[long i1, long i2, long i3] { get => Pick(i1, i2, i3); set => Put(value, i1, i2, i3); }
        public Tensor this[long i1, long i2, long i3, long i4] { get => Pick(i1, i2, i3, i4); set => Put(value, i1, i2, i3, i4); }

        public Tensor index(params Tensor[] indices) => Operators.Run("aten::index.Tensor", this, Arg.Optional(indices));

        public Tensor index(params TensorIndex[] indices)
        {
            (Tensor view, Tensor?[]? tensors) = Resolve(indices);
            if (tensors is null) return view;
            using (view) return Operators.Run("aten::index.Tensor", view, Arg.Optional(tensors));
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);
        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) =>
            Operators.InPlace("aten::index_put_", this, Arg.Optional(indices), value, accumulate);
        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            (Tensor view, Tensor?[]? tensors) = Resolve(indices);
            using (view)
            {
                if (tensors is not null) Operators.InPlace("aten::index_put_", view, Arg.Optional(tensors), value, accumulate);
                else if (accumulate) view.add_(value);
                else view.copy_(value);
            }

            return this;
        }

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            using Tensor v = torch.full([], value, dtype);
            return index_put_(v, indices);
        }

        public Tensor index_put_(Scalar value, params Tensor[] indices)
        {
            using Tensor v = torch.full([], value, dtype);
            return index_put_(v, indices);
        }

        private Tensor Pick(params long[] indices)
        {
            Tensor result = Operators.Run("aten::select.int", this, 0, indices[0]);
            foreach (long i in indices.AsSpan(1))
            {
                using Tensor before = result;
                result = Operators.Run("aten::select.int", before, 0, i);
            }

            return result;
        }

        private void Put(Tensor value, params long[] indices)
        {
            using Tensor view = Pick(indices);
            view.copy_(value);
        }

        // Numbers, ranges, None and Ellipsis become views; what is left are index tensors by dimension, or nothing.
        private (Tensor View, Tensor?[]? Tensors) Resolve(TensorIndex[] indices)
        {
            long consumed = 0;
            foreach (TensorIndex i in indices)
                consumed += i.Type switch
                {
                    TensorIndex.Kind.Single or TensorIndex.Kind.Slice => 1,
                    TensorIndex.Kind.Tensor => i.Indices!.dtype == ScalarType.Bool ? Math.Max(1, i.Indices.ndim) : 1,
                    _ => 0,
                };

            Tensor view = alias();
            Tensor?[]? tensors = null;
            int dim = 0;
            foreach (TensorIndex i in indices)
            {
                switch (i.Type)
                {
                    case TensorIndex.Kind.Single:
                        view = Next(view, Operators.Run("aten::select.int", view, dim, i.Start));
                        break;
                    case TensorIndex.Kind.Slice:
                        if (i.Start is not null || i.Stop is not null || i.Step is not null)
                            view = Next(view, Operators.Run("aten::slice.Tensor", view, dim, i.Start, i.Stop, i.Step ?? 1));
                        dim++;
                        break;
                    case TensorIndex.Kind.None:
                        view = Next(view, view.unsqueeze(dim++));
                        break;
                    case TensorIndex.Kind.Ellipsis:
                        dim += (int)(ndim - consumed);
                        break;
                    case TensorIndex.Kind.Bool:
                        view = Next(view, view.unsqueeze(dim));
                        Place(ref tensors, dim++, tensor(i.Start == 1).unsqueeze(0));
                        break;
                    case TensorIndex.Kind.Tensor:
                        Place(ref tensors, dim, i.Indices!);
                        dim += i.Indices!.dtype == ScalarType.Bool ? (int)Math.Max(1, i.Indices.ndim) : 1;
                        break;
                }
            }

            return (view, tensors);
        }

        private static Tensor Next(Tensor before, Tensor after)
        {
            before.Dispose();
            return after;
        }

        // A mask of several dimensions is one entry that spans them, so the list counts entries from the left.
        private static void Place(ref Tensor?[]? tensors, int dim, Tensor indices)
        {
            List<Tensor?> list = tensors is null ? [] : [.. tensors];
            int spanned = list.Sum(t => t is { } x && x.dtype == ScalarType.Bool ? (int)Math.Max(1, x.ndim) : 1);
            for (; spanned < dim; spanned++) list.Add(null);
            list.Add(indices);
            tensors = [.. list];
        }
    }
}
