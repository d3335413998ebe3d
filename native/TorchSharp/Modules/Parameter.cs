// A tensor that a module trains. Constructing one takes the native tensor over from `data`, which is empty afterwards.
namespace TorchSharp.Modules;

public class Parameter : torch.Tensor
{
    public Parameter(torch.Tensor data, bool requires_grad = true) : base(Take(data), register: true)
    {
        // Element types without gradients exist as parameters too (frozen integer tables).
        this.requires_grad = requires_grad && torch.is_floating_point(dtype);
    }

    // Leaving the scope of `data` first keeps the scope from holding an empty tensor.
    private static nint Take(torch.Tensor data)
    {
        data.DetachFromDisposeScope();
        if (data.is_leaf) return data.DecoupleFromNativeHandle();
        using torch.Tensor whole = data;
        return whole.detach().DetachFromDisposeScope().DecoupleFromNativeHandle();
    }
}
