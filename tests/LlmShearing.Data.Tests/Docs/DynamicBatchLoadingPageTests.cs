// The code in docs/dynamic-batch-loading.md is this code.
using LlmShearing.Data.Domains;
using LlmShearing.Testing;
using Xunit;

namespace LlmShearing.Data.Tests.Docs;

public class DynamicBatchLoadingPageTests
{
    [Fact]
    public void Sampler_Snippet_Works()
    {
        // <snippet>
        var start = new FixedDomainSamplerOptions { Seed = 17, Proportions = { ["web"] = 0.8, ["code"] = 0.2 } };
        var sampler = new ReferenceLossSampler(start, new ReferenceLossOptions { Losses = { ["web"] = 2.31, ["code"] = 0.94 } });
        sampler.Update([1.34, 2.41]);   // losses of code and web: domains are in the order of their names
        double code = sampler.Proportions[0];
        // </snippet>
        double expected = 0.2 * Math.Exp(0.4) / ((0.2 * Math.Exp(0.4)) + (0.8 * Math.Exp(0.1)));
        Assert.Equal((expected * 0.9999) + 0.00005, code, 1e-12);
    }

    [Fact]
    public void Page_Snippets_AreTheCodeAbove() => PageSnippets.AssertEqual("dynamic-batch-loading.md");
}
