// Modules in order, registered under "0", "1", ...
using System.Collections;

namespace TorchSharp.Modules;

public class ModuleList<T> : torch.nn.Module, IList<T> where T : torch.nn.Module
{
    private readonly List<T> list = [];

    public ModuleList(params T[] modules) : base(nameof(ModuleList<T>)) => extend(modules);

    public int Count => list.Count;
    public bool IsReadOnly => false;

    public T this[int index]
    {
        get => list[index];
        set
        {
            list[index] = value;
            RegisterComponents();
        }
    }

    // The names are positions, so every change of the list renames.
    protected override void RegisterComponents()
    {
        ClearModules();
        for (int i = 0; i < list.Count; i++) register_module($"{i}", list[i]);
    }

    public void Add(T item)
    {
        list.Add(item);
        register_module($"{list.Count - 1}", item);
    }

    public void append(params T[] parameters) => extend(parameters);

    public void extend(IEnumerable<T> modules)
    {
        foreach (T module in modules) Add(module);
    }

    public void Insert(int index, T item)
    {
        list.Insert(index, item);
        RegisterComponents();
    }

    public void RemoveAt(int index)
    {
        list.RemoveAt(index);
        RegisterComponents();
    }

    public bool Remove(T item)
    {
        int index = IndexOf(item);
        if (index >= 0) RemoveAt(index);
        return index >= 0;
    }

    public void Clear()
    {
        list.Clear();
        RegisterComponents();
    }

    public bool Contains(T item) => IndexOf(item) >= 0;
    public int IndexOf(T item) => list.FindIndex(m => ReferenceEquals(m, item));
    public void CopyTo(T[] array, int arrayIndex) => list.CopyTo(array, arrayIndex);
    public IEnumerator<T> GetEnumerator() => list.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
