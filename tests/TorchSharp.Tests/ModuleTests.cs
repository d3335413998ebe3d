// Modules: registration by reflection, names, conversion, state, hooks, clipping.
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharpTests;

public class ModuleTests
{
    private sealed class Layer : nn.Module<Tensor, Tensor>
    {
        public Parameter weight;
        private readonly Tensor table;

        public Layer(int size) : base(nameof(Layer))
        {
            weight = new Parameter(ones(size, size));
            table = arange(size);
            RegisterComponents();
        }

        public Tensor Table => table;
        public override Tensor forward(Tensor input) => nn.functional.linear(input, weight);
    }

    private sealed class Model : nn.Module<Tensor, Tensor>
    {
        public readonly ModuleList<Layer> layers = new();
        public readonly Layer head;

        public Model() : base(nameof(Model))
        {
            using var scope = NewDisposeScope();
            layers.Add(new Layer(2));
            layers.Add(new Layer(2));
            head = new Layer(2);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            foreach (Layer layer in layers) input = layer.call(input);
            return head.call(input);
        }
    }

    [Fact]
    public void Fields_register_under_their_names_and_outlive_the_scope()
    {
        using var model = new Model();
        Assert.Equal(["head.weight", "layers.0.weight", "layers.1.weight"], model.named_parameters().Select(p => p.name).Order());
        Assert.Equal(["head", "layers", "layers.0", "layers.1"], model.named_modules().Select(p => p.name).Order());
        Assert.Equal(6, model.state_dict().Count); // three weights, three tables
        Assert.All(model.parameters(), p => Assert.True(p.requires_grad));
        Assert.Equal(2, model.children().Count());
        using Tensor y = model.call(ones(1, 2));
        Assert.Equal([8, 8], y.data<float>().ToArray());
    }

    [Fact]
    public void A_parameter_takes_the_tensor_over()
    {
        Tensor source = ones(2);
        using var parameter = new Parameter(source);
        Assert.True(source.IsInvalid);
        Assert.True(parameter.is_leaf);
        Assert.False(new Parameter(ones(2), requires_grad: false).requires_grad);
    }

    [Fact]
    public void To_replaces_parameters_and_leaves_integer_buffers()
    {
        using var model = new Model();
        Parameter before = model.head.weight;
        model.layers[0].weight.requires_grad = false;
        model.to(bfloat16);
        Assert.NotSame(before, model.head.weight);
        Assert.True(before.IsInvalid);
        Assert.Same(model.head.weight, model.get_parameter("head.weight"));
        Assert.Equal(bfloat16, model.head.weight.dtype);
        Assert.Equal(int64, model.head.Table.dtype);
        Assert.False(model.layers[0].weight.requires_grad);
        Assert.True(model.layers[1].weight.requires_grad);
        Parameter same = model.head.weight;
        model.to(bfloat16);
        Assert.Same(same, model.head.weight);
    }

    [Fact]
    public void Modes_go_down_the_tree()
    {
        using var model = new Model();
        Assert.True(model.training);
        model.eval();
        Assert.False(model.layers[1].training);
        model.train();
        Assert.True(model.layers[1].training);
    }

    [Fact]
    public void State_loads_strictly()
    {
        using Model a = new(), b = new();
        using (no_grad()) a.head.weight.fill_(5);
        b.load_state_dict(a.state_dict());
        Assert.Equal(20, b.head.weight.sum().ToSingle());
        Assert.Throws<InvalidOperationException>(() => b.load_state_dict([]));
        b.load_state_dict([], strict: false);
    }

    [Fact]
    public void Hooks_run_in_call_only()
    {
        using var model = new Model();
        int calls = 0;
        var hook = model.head.register_forward_hook((_, _, output) =>
        {
            calls++;
            return output;
        });
        using Tensor x = ones(1, 2), one = model.head.call(x), two = model.head.forward(x);
        hook.remove();
        using Tensor three = model.head.call(x);
        Assert.Equal(1, calls);
    }

    [Fact]
    public void Clipping_scales_to_the_norm()
    {
        using var model = new Model();
        using (NewDisposeScope()) model.call(ones(1, 2)).sum().backward();
        double before = nn.utils.clip_grad_norm_(model.parameters(), 1);
        Assert.True(before > 1);
        Assert.Equal(1, nn.utils.clip_grad_norm_(model.parameters(), 100), 4);
        model.zero_grad();
        Assert.All(model.parameters(), p => Assert.True(p.grad is null));
    }

    [Fact]
    public void Gradient_modes_are_undone()
    {
        using Tensor w = ones(1, requires_grad: true);
        using (no_grad())
        {
            Assert.False(is_grad_enabled());
            using (enable_grad()) Assert.True((w * 2).requires_grad);
            Assert.False((w * 2).requires_grad);
        }

        Assert.True(is_grad_enabled());
        using (inference_mode()) Assert.True(is_inference_mode_enabled());
        Assert.False(is_inference_mode_enabled());
    }
}
