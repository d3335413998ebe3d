// Filling with random numbers, and sampling. One line a member: the public signature, and the operator it calls (native/README.md says how to add one).
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor bernoulli(Generator? generator = null) => Operators.Run("aten::bernoulli", this, generator);
        public Tensor bernoulli_(Tensor p, Generator? generator = null) => Operators.InPlace("aten::bernoulli_.Tensor", this, p, generator);
        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) => Operators.InPlace("aten::bernoulli_.float", this, p, generator);
        public Tensor cauchy_(double median = 0, double sigma = 1, Generator? generator = null) => Operators.InPlace("aten::cauchy_", this, median, sigma, generator);
        public Tensor exponential_(double @lambda = 1, Generator? generator = null) => Operators.InPlace("aten::exponential_", this, @lambda, generator);
        public Tensor fill_(Scalar value) => Operators.InPlace("aten::fill_.Scalar", this, value);
        public Tensor geometric_(double p, Generator? generator = null) => Operators.InPlace("aten::geometric_", this, p, generator);
        public Tensor log_normal_(double mean = 0, double std = 1, Generator? generator = null) => Operators.InPlace("aten::log_normal_", this, mean, std, generator);
        public Tensor multinomial(long num_samples, bool replacement = false, Generator? generator = null) => Operators.Run("aten::multinomial", this, num_samples, replacement, generator);
        public Tensor normal_(double mean = 0, double std = 1, Generator? generator = null) => Operators.InPlace("aten::normal_", this, mean, std, generator);
        public Tensor poisson(Generator? generator = null) => Operators.Run("aten::poisson", this, generator);
        public Tensor uniform_(double from, double to, Generator? generator = null) => Operators.InPlace("aten::uniform_", this, from, to, generator);
        public Tensor zero_() => Operators.InPlace("aten::zero_", this);
    }
}
