// Writes a public member the way the list of TorchSharp's members does, so that both can be compared as text.
// Nullable annotations of reference types are dropped on both sides: they are advice, not part of a signature.
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace TorchSharpTests;

internal static partial class SignatureFormatter
{
    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void", [typeof(bool)] = "bool", [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short",
        [typeof(ushort)] = "ushort", [typeof(int)] = "int", [typeof(uint)] = "uint", [typeof(long)] = "long", [typeof(ulong)] = "ulong",
        [typeof(float)] = "float", [typeof(double)] = "double", [typeof(char)] = "char", [typeof(string)] = "string", [typeof(object)] = "object",
    };

    private static readonly Dictionary<string, string> OperatorNames = new()
    {
        ["op_Addition"] = "+", ["op_Subtraction"] = "-", ["op_Multiply"] = "*", ["op_Division"] = "/", ["op_Modulus"] = "%",
        ["op_UnaryNegation"] = "-", ["op_BitwiseAnd"] = "&", ["op_BitwiseOr"] = "|", ["op_ExclusiveOr"] = "^", ["op_OnesComplement"] = "~",
        ["op_Equality"] = "==", ["op_Inequality"] = "!=", ["op_LessThan"] = "<", ["op_LessThanOrEqual"] = "<=",
        ["op_GreaterThan"] = ">", ["op_GreaterThanOrEqual"] = ">=",
    };

    /// <summary>The text without attributes and without nullable annotations of reference types.</summary>
    internal static string Normalise(string signature) =>
        ReferenceMark().Replace(Attributes().Replace(signature, ""), "$1").Replace("protected internal", "protected", StringComparison.Ordinal);

    [GeneratedRegex(@"^(\[[^\]]*\] )+")]
    private static partial Regex Attributes();

    // A question mark stays after value types: keywords of numbers, tuples, and the enums of torch.
    [GeneratedRegex(@"(?<!\b(?:bool|byte|sbyte|short|int|long|float|double|ScalarType|Half|Complex)|\))()\?")]
    private static partial Regex ReferenceMark();

    internal static string TypeName(Type type, IList<string?>? names = null) => Name(type, new NameQueue(names));

    internal static string FullName(Type type) => "TorchSharp" + (type.Namespace!.Length > 10 ? type.Namespace[10..] : "") + "." + LocalName(type);

    internal static string? Format(MemberInfo member) => member switch
    {
        ConstructorInfo c when Visible(c) => $"ctor | {Access(c)} {Plain(c.DeclaringType!)}({Parameters(c)})",
        FieldInfo f when f.DeclaringType!.IsEnum && f.IsStatic => $"enum | {f.Name} = {Convert.ToInt64(f.GetRawConstantValue(), CultureInfo.InvariantCulture)}",
        FieldInfo f when !f.IsSpecialName && (f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly) =>
            $"field | {(f.IsPublic ? "public" : "protected")} {(f.IsLiteral ? "const " : f.IsStatic ? "static " : "")}{(f.IsInitOnly && f.IsStatic ? "readonly " : "")}{Returned(f.FieldType, f)} {f.Name}",
        PropertyInfo p => Property(p),
        MethodInfo m when Visible(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal)) => "method | " + Method(m),
        _ => null,
    };

    private static string? Property(PropertyInfo p)
    {
        MethodInfo? get = p.GetMethod is { } g && Visible(g) ? g : null, set = p.SetMethod is { } s && Visible(s) ? s : null;
        if ((get ?? set) is not { } accessor) return null;
        ParameterInfo[] index = p.GetIndexParameters();
        string name = index.Length > 0 ? $"this[{string.Join(", ", index.Select(Parameter))}]" : p.Name;
        string start = p.DeclaringType!.IsInterface ? "" : Access(accessor) + " " + Modifiers(accessor);
        return $"property | {start}{Returned(p.PropertyType, p)} {name} {{ {(get is null ? "" : "get; ")}{(set is null ? "" : "set; ")}}}";
    }

    private static string Method(MethodInfo m)
    {
        if (m.Name == "Finalize") return $"~{Plain(m.DeclaringType!)}()";
        string start = m.DeclaringType!.IsInterface ? "" : Access(m) + " " + Modifiers(m);
        string returned = Returned(m.ReturnType, m.ReturnParameter);
        if (m.Name is "op_Implicit" or "op_Explicit")
            return $"{start}{(m.Name == "op_Implicit" ? "implicit" : "explicit")} operator {returned}({Parameters(m)})";
        if (OperatorNames.TryGetValue(m.Name, out string? symbol)) return $"{start}{returned} operator {symbol}({Parameters(m)})";
        string generic = m.IsGenericMethod ? $"<{string.Join(", ", m.GetGenericArguments().Select(a => a.Name))}>" : "";
        bool extension = m.IsDefined(typeof(ExtensionAttribute));
        return $"{start}{returned} {m.Name}{generic}({(extension ? "this " : "")}{Parameters(m)}){Constraints(m.IsGenericMethod ? m.GetGenericArguments() : [])}";
    }

    internal static string Constraints(Type[] arguments) => string.Concat(arguments.Select(a =>
    {
        List<string> all = [];
        GenericParameterAttributes flags = a.GenericParameterAttributes;
        bool unmanaged = a.CustomAttributes.Any(c => c.AttributeType.Name == "IsUnmanagedAttribute");
        if (unmanaged) all.Add("unmanaged");
        else if (flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint)) all.Add("struct");
        if (flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint)) all.Add("class");
        all.AddRange(a.GetGenericParameterConstraints().Where(c => c != typeof(ValueType)).Select(c => TypeName(c)));
        return all.Count == 0 ? "" : $" where {a.Name} : {string.Join(", ", all)}";
    }));

    private static bool Visible(MethodBase m) => m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly;
    private static string Access(MethodBase m) => m.IsPublic ? "public" : "protected";

    private static string Modifiers(MethodInfo m) =>
        m.IsStatic ? "static "
        : m.IsAbstract ? "abstract "
        : m.IsVirtual && !m.IsFinal ? (m.GetBaseDefinition() == m ? "virtual " : "override ")
        : "";

    private static string Parameters(MethodBase m) => string.Join(", ", m.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo p)
    {
        string prefix = p.IsDefined(typeof(ParamArrayAttribute)) ? "params " : p.IsOut ? "out " : p.ParameterType.IsByRef ? "ref " : "";
        Type type = p.ParameterType.IsByRef ? p.ParameterType.GetElementType()! : p.ParameterType;
        string text = $"{prefix}{Returned(type, p)} {p.Name}";
        return p.HasDefaultValue ? $"{text} = {Default(p, type)}" : text;
    }

    private static string Default(ParameterInfo p, Type type)
    {
        object? value = p.RawDefaultValue;
        Type inner = Nullable.GetUnderlyingType(type) ?? type;
        return value switch
        {
            null => type.IsValueType && Nullable.GetUnderlyingType(type) is null ? "default" : "null",
            bool b => b ? "true" : "false",
            string s => $"\"{s}\"",
            float f => f.ToString("R", CultureInfo.InvariantCulture) + "f",
            double d => d.ToString("R", CultureInfo.InvariantCulture),
            _ when inner.IsEnum => $"{TypeName(inner)}.{Enum.GetName(inner, value)}",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string Returned(Type type, ICustomAttributeProvider provider) =>
        TypeName(type, provider.GetCustomAttributes(typeof(TupleElementNamesAttribute), false).OfType<TupleElementNamesAttribute>().FirstOrDefault()?.TransformNames);

    // Tuple element names come as one flat list over the whole type, outer tuples first.
    private sealed class NameQueue(IList<string?>? names)
    {
        private int next;
        internal string?[] Take(int count) => Enumerable.Range(0, count).Select(_ => names is not null && next < names.Count ? names[next++] : null).ToArray();
    }

    private static string Name(Type type, NameQueue names)
    {
        if (type.IsGenericParameter) return type.Name;
        if (Keywords.TryGetValue(type, out string? keyword)) return keyword;
        if (type.IsArray) return Name(type.GetElementType()!, names) + "[" + new string(',', type.GetArrayRank() - 1) + "]";
        if (Nullable.GetUnderlyingType(type) is { } inner) return Name(inner, names) + "?";
        if (type.IsGenericType && type.Namespace == "System" && type.Name.StartsWith("ValueTuple`", StringComparison.Ordinal))
        {
            Type[] items = type.GetGenericArguments();
            string?[] own = names.Take(items.Length);
            return "(" + string.Join(", ", items.Select((t, i) => Name(t, names) + (own[i] is null ? "" : " " + own[i]))) + ")";
        }

        return LocalName(type, names);
    }

    private static string LocalName(Type type, NameQueue? names = null)
    {
        // Generic arguments of nested types are shared out along the chain of declaring types.
        Type[] arguments = type.GetGenericArguments();
        List<Type> chain = [];
        for (Type? t = type; t is not null; t = t.IsNested ? t.DeclaringType : null) chain.Insert(0, t);
        int used = 0;
        return string.Join(".", chain.Select(t =>
        {
            int total = t.GetGenericArguments().Length;
            Type[] own = arguments[used..total];
            used = total;
            return Plain(t) + (own.Length == 0 ? "" : $"<{string.Join(", ", own.Select(a => Name(a, names ?? new NameQueue(null))))}>");
        }));
    }

    private static string Plain(Type type)
    {
        int tick = type.Name.IndexOf('`', StringComparison.Ordinal);
        return tick < 0 ? type.Name : type.Name[..tick];
    }
}
