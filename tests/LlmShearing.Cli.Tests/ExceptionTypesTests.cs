// One base for every error about input, so that one catch is enough.
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Domains;
using LlmShearing.Lora;
using LlmShearing.Masks;

namespace LlmShearing.Cli.Tests;

public class ExceptionTypesTests
{
    [Fact]
    public void AllExceptions_DeriveFromShearingException()
    {
        Type[] strays =
        [
            .. new[] { typeof(ShearingException), typeof(ReferenceLossException), typeof(LoraException), typeof(MaskException), typeof(UsageException) }
                .SelectMany(t => t.Assembly.GetTypes())
                .Where(t => t.IsAssignableTo(typeof(Exception)) && !t.IsNested && !t.IsAssignableTo(typeof(ShearingException))),
        ];
        Assert.Empty(strays);
    }
}
