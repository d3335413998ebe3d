// A dictionary that remembers the order of insertion.
using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TorchSharp.Utils;

public class OrderedDict<TKey, TValue> : IDictionary<TKey, TValue>, IList<(TKey, TValue)> where TKey : notnull
{
    private readonly List<(TKey Key, TValue Value)> list = [];
    private readonly Dictionary<TKey, TValue> map = [];

    public OrderedDict() { }

    public TValue this[TKey key]
    {
        get => map[key];
        set
        {
            int i = list.FindIndex(p => p.Key.Equals(key));
            if (i < 0) list.Add((key, value));
            else list[i] = (key, value);
            map[key] = value;
        }
    }

    public (TKey, TValue) this[int index]
    {
        get => list[index];
        set
        {
            map.Remove(list[index].Key);
            list[index] = value;
            map[value.Item1] = value.Item2;
        }
    }

    public int Count => list.Count;
    public bool IsReadOnly => false;
    public ICollection<TKey> Keys => list.Select(p => p.Key).ToList();
    public ICollection<TValue> Values => list.Select(p => p.Value).ToList();
    public IEnumerable<TKey> keys() => Keys;
    public IEnumerable<TValue> values() => Values;
    public IEnumerator<(TKey, TValue)> items() => GetEnumerator();

    public void Add((TKey, TValue) item)
    {
        map.Add(item.Item1, item.Item2);
        list.Add(item);
    }

    public void Add(KeyValuePair<TKey, TValue> item) => Add((item.Key, item.Value));
    public void Add(TKey key, TValue value) => Add((key, value));

    public void Clear()
    {
        list.Clear();
        map.Clear();
    }

    public void clear() => Clear();
    public bool Contains((TKey, TValue) item) => list.Contains(item);
    public bool Contains(KeyValuePair<TKey, TValue> item) => list.Contains((item.Key, item.Value));
    public bool ContainsKey(TKey key) => map.ContainsKey(key);
    public void CopyTo((TKey, TValue)[] array, int arrayIndex) => list.CopyTo(array!, arrayIndex);

    public void CopyTo(KeyValuePair<TKey, TValue>[] array, int arrayIndex)
    {
        foreach ((TKey key, TValue value) in list) array[arrayIndex++] = new(key, value);
    }

    public int IndexOf((TKey, TValue) item) => list.IndexOf(item);

    public void Insert(int index, (TKey, TValue) item)
    {
        map.Add(item.Item1, item.Item2);
        list.Insert(index, item);
    }

    public bool Remove(TKey key) => map.Remove(key) && list.RemoveAll(p => p.Key.Equals(key)) > 0;
    public bool Remove((TKey, TValue) item) => list.Contains(item) && Remove(item.Item1);
    public bool Remove(KeyValuePair<TKey, TValue> item) => Remove((item.Key, item.Value));
    public void RemoveAt(int index) => Remove(list[index].Key);
    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value) => map.TryGetValue(key, out value);

    public IEnumerator<(TKey, TValue)> GetEnumerator() => list.GetEnumerator();
    IEnumerator<KeyValuePair<TKey, TValue>> IEnumerable<KeyValuePair<TKey, TValue>>.GetEnumerator() =>
        list.Select(p => new KeyValuePair<TKey, TValue>(p.Key, p.Value)).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => list.GetEnumerator();
}
