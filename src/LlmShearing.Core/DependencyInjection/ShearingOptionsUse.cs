// What is set must be used, and what is used must be set: options that the chosen strategy does not look at are a mistake, not a default.
using LlmShearing.Planning;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

internal sealed class ShearingOptionsUse(DepthRegistration depth) : IValidateOptions<ShearingOptions>
{
    public ValidateOptionsResult Validate(string? name, ShearingOptions options)
    {
        // Absent parts are the annotations' business.
        if (options.Depth is null || options.Target is null || string.IsNullOrEmpty(options.Strategy))
            return ValidateOptionsResult.Skip;
        bool removesBlocks = options.Strategy == BlockDepthStrategy.Name && depth.IsBuiltIn;
        string[] failures = [.. (removesBlocks ? OfDepth(options) : OfTarget(options)).Concat(OfSizes(options.Target))];
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<string> OfDepth(ShearingOptions options)
    {
        string[] sizes = Set(options.Target);
        if (sizes.Length > 0)
            yield return $"Target: {string.Join(", ", sizes)} would be ignored: strategy {BlockDepthStrategy.Name} removes as many blocks as Depth says. Give Strategy {TargetedWidthStrategy.Name}, or leave Target out.";
        if ((Set(options.Depth).Length > 0 || options.Iterative) && options.Depth.Amounts().Length == 0)
            yield return $"Depth: no amount is given, so no plan can be made. Give one of {nameof(BlockDepthOptions.Count)}, {nameof(BlockDepthOptions.Ratio)}, {nameof(BlockDepthOptions.TargetParameters)} and {nameof(BlockDepthOptions.Blocks)}.";
    }

    private static IEnumerable<string> OfTarget(ShearingOptions options)
    {
        string[] depth = Set(options.Depth);
        if (depth.Length > 0)
            yield return $"Depth: {string.Join(", ", depth)} would be ignored: strategy {options.Strategy} aims at the sizes under Target. Give Strategy {BlockDepthStrategy.Name}, or leave Depth out.";
        if (options.Iterative)
            yield return $"Iterative would be ignored: strategy {options.Strategy} scores once. Give Strategy {BlockDepthStrategy.Name}, or leave Iterative out.";
        if (Sizes(options.Target).All(s => s.Size is null))
            yield return $"Target: no size is given, so strategy {options.Strategy} would remove nothing. Give at least one of {string.Join(", ", Sizes(options.Target).Select(s => s.Name))}.";
    }

    private static IEnumerable<string> OfSizes(TargetSizes target)
    {
        foreach ((string name, int? size) in Sizes(target))
        {
            if (size < 1)
                yield return $"Target: {name} is {size}; give 1 or more.";
        }

        if (!Enum.IsDefined(target.Heads))
            yield return $"Target: Heads is {target.Heads}. Give {string.Join(" or ", Enum.GetNames<HeadPruning>())}.";
        else if (target.Heads != default && (target.QueryHeads is null || target.KeyValueHeads is not null))
            yield return $"Target: Heads {target.Heads} would be ignored: it decides only where QueryHeads is given and KeyValueHeads is not. Leave Heads out.";
    }

    private static (string Name, int? Size)[] Sizes(TargetSizes target) =>
    [
        (nameof(target.Layers), target.Layers),
        (nameof(target.Hidden), target.Hidden),
        (nameof(target.QueryHeads), target.QueryHeads),
        (nameof(target.KeyValueHeads), target.KeyValueHeads),
        (nameof(target.Intermediate), target.Intermediate),
    ];

    private static string[] Set(TargetSizes target) =>
        [.. Sizes(target).Where(s => s.Size is not null).Select(s => s.Name), .. target.Heads == default ? Array.Empty<string>() : [nameof(target.Heads)]];

    private static string[] Set(BlockDepthOptions depth) =>
    [
        .. depth.Amounts(),
        .. depth.ProtectFirst == 0 ? Array.Empty<string>() : [nameof(depth.ProtectFirst)],
        .. depth.ProtectLast == 0 ? Array.Empty<string>() : [nameof(depth.ProtectLast)],
        .. depth.Contiguous ? [nameof(depth.Contiguous)] : Array.Empty<string>(),
    ];
}
