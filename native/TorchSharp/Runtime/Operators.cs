// Calls operators of libtorch's dispatcher by name: "aten::add.Tensor". Arguments left out at the end take the
// operator's own defaults; see native/README.md for how to add a wrapper.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp.Runtime;

namespace TorchSharp;

internal static unsafe class Operators
{
    private const int ScratchLength = 48;

    /// <summary>Calls an operator that returns one tensor.</summary>
    internal static torch.Tensor Run(string name, params ReadOnlySpan<Arg> arguments)
    {
        Slot result;
        Invoke(name, arguments, &result, 1);
        return Take(in result, name);
    }

    /// <summary>Calls an in-place operator and returns <paramref name="self"/>, its first argument.</summary>
    internal static torch.Tensor InPlace(string name, torch.Tensor self, params ReadOnlySpan<Arg> arguments)
    {
        Slot result;
        Invoke(name, arguments, &result, 1, self);
        Native.lts_release((nint)result.Value);
        return self;
    }

    internal static (torch.Tensor, torch.Tensor) Run2(string name, params ReadOnlySpan<Arg> arguments)
    {
        Slot* results = stackalloc Slot[2];
        Invoke(name, arguments, results, 2);
        return (Take(in results[0], name), Take(in results[1], name));
    }

    internal static (torch.Tensor, torch.Tensor, torch.Tensor) Run3(string name, params ReadOnlySpan<Arg> arguments)
    {
        Slot* results = stackalloc Slot[3];
        Invoke(name, arguments, results, 3);
        return (Take(in results[0], name), Take(in results[1], name), Take(in results[2], name));
    }

    internal static torch.Tensor[] RunList(string name, params ReadOnlySpan<Arg> arguments)
    {
        Slot result;
        Invoke(name, arguments, &result, 1);
        var handles = new ReadOnlySpan<nint>((void*)result.Value, result.Length);
        var tensors = new torch.Tensor[handles.Length];
        for (int i = 0; i < tensors.Length; i++) tensors[i] = new torch.Tensor(handles[i]);
        Native.lts_free((nint)result.Value);
        return tensors;
    }

    internal static bool RunBool(string name, params ReadOnlySpan<Arg> arguments) => RunValue(name, arguments).Value != 0;

    internal static Slot RunValue(string name, params ReadOnlySpan<Arg> arguments)
    {
        Slot result;
        Invoke(name, arguments, &result, 1);
        return result;
    }

    private static torch.Tensor Take(in Slot result, string name) =>
        result.Kind == SlotKind.Tensor ? new torch.Tensor((nint)result.Value)
            : throw new ExternalException($"{name} returned {result.Kind} where a tensor was expected.");

    private static void Invoke(string name, ReadOnlySpan<Arg> arguments, Slot* results, int capacity, torch.Tensor? self = null)
    {
        nint op = OperatorTable.Find(name);
        Slot* first = stackalloc Slot[arguments.Length + 1];
        Slot* slots = first;
        if (self is not null) *slots++ = new Slot { Kind = SlotKind.Tensor, Value = self.Handle };
        long* scratch = stackalloc long[ScratchLength];
        int used = 0;
        List<nint>? rented = null;

        for (int i = 0; i < arguments.Length; i++)
        {
            ref readonly Arg a = ref arguments[i];
            slots[i].Kind = a.Kind;
            if (a.Kind is <= SlotKind.Bool or SlotKind.Generator or SlotKind.Default)
            {
                slots[i].Value = a.Value;
            }
            else if (a.Kind == SlotKind.Device)
            {
                slots[i].Length = (int)(a.Value >> 32);
                slots[i].Value = (int)a.Value;
            }
            else
            {
                WriteList(in a, ref slots[i], scratch, ref used, ref rented);
            }
        }

        int count = arguments.Length + (self is null ? 0 : 1);
        int status = Native.lts_call(op, first, count, results, capacity);
        GC.KeepAlive(self);
        foreach (ref readonly Arg a in arguments) GC.KeepAlive(a.Owner);
        if (rented is not null)
        {
            foreach (nint block in rented) NativeMemory.Free((void*)block);
        }

        if (status < 0) Native.Throw();
    }

    private static void WriteList(in Arg a, ref Slot slot, long* scratch, ref int used, ref List<nint>? rented)
    {
        switch (a.Owner)
        {
            case null: // a list of one integer
                *Reserve(1, scratch, ref used, ref rented, ref slot) = a.Value;
                break;
            case long[] values:
                values.CopyTo(new Span<long>(Reserve(values.Length, scratch, ref used, ref rented, ref slot), values.Length));
                break;
            case double[] values:
                values.CopyTo(new Span<double>(Reserve(values.Length, scratch, ref used, ref rented, ref slot), values.Length));
                break;
            case torch.Tensor?[] tensors:
                long* handles = Reserve(tensors.Length, scratch, ref used, ref rented, ref slot);
                for (int k = 0; k < tensors.Length; k++) handles[k] = tensors[k] is { } t ? t.Handle : 0;
                break;
            case string text:
                int bytes = Encoding.UTF8.GetByteCount(text);
                long* room = Reserve((bytes + 7) / 8, scratch, ref used, ref rented, ref slot);
                Encoding.UTF8.GetBytes(text, new Span<byte>(room, bytes));
                slot.Length = bytes;
                break;
        }
    }

    private static long* Reserve(int length, long* scratch, ref int used, ref List<nint>? rented, ref Slot slot)
    {
        long* place;
        if (used + length <= ScratchLength)
        {
            place = scratch + used;
            used += length;
        }
        else
        {
            place = (long*)NativeMemory.Alloc((nuint)length, sizeof(long));
            (rented ??= []).Add((nint)place);
        }

        slot.Length = length;
        slot.Value = (long)place;
        return place;
    }
}

/// <summary>Operator handles by name. Names are literals, so that a lookup compares references, not characters.</summary>
internal static unsafe class OperatorTable
{
    private sealed record Entry(string Name, nint Handle);

    private static volatile Entry?[] entries = new Entry?[1024];
    private static readonly Dictionary<string, nint> known = [];
    private static int filled;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nint Find(string name)
    {
        Entry?[] table = entries;
        int i = RuntimeHelpers.GetHashCode(name) & (table.Length - 1);
        while (table[i] is { } entry)
        {
            if (ReferenceEquals(entry.Name, name)) return entry.Handle;
            i = (i + 1) & (table.Length - 1);
        }

        return Add(name);
    }

    private static nint Add(string name)
    {
        lock (known)
        {
            if (!known.TryGetValue(name, out nint handle))
            {
                int dot = name.IndexOf('.', StringComparison.Ordinal);
                fixed (byte* op = Encoding.UTF8.GetBytes((dot < 0 ? name : name[..dot]) + "\0"))
                fixed (byte* overload = Encoding.UTF8.GetBytes((dot < 0 ? "" : name[(dot + 1)..]) + "\0"))
                {
                    handle = Native.CheckHandle(Native.lts_find(op, overload));
                }

                known.Add(name, handle);
            }

            // A name that is no literal stays out of the table beyond half its size; it is then found in the dictionary.
            if (filled < entries.Length / 2)
            {
                int i = RuntimeHelpers.GetHashCode(name) & (entries.Length - 1);
                while (entries[i] is { } other && !ReferenceEquals(other.Name, name)) i = (i + 1) & (entries.Length - 1);
                if (entries[i] is null)
                {
                    Volatile.Write(ref entries[i], new Entry(name, handle));
                    filled++;
                }
            }

            return handle;
        }
    }
}
