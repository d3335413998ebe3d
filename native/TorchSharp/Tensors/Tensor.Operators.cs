// C# operators. Numbers go in without a Scalar object of their own.
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public static Tensor operator +(Tensor left, Tensor right) => Operators.Run("aten::add.Tensor", left, right);
        public static Tensor operator +(Tensor left, Scalar right) => Operators.Run("aten::add.Scalar", left, right);
        public static Tensor operator +(Tensor left, int right) => Operators.Run("aten::add.Scalar", left, right);
        public static Tensor operator +(Tensor left, long right) => Operators.Run("aten::add.Scalar", left, right);
        public static Tensor operator +(Tensor left, float right) => Operators.Run("aten::add.Scalar", left, right);
        public static Tensor operator +(Tensor left, double right) => Operators.Run("aten::add.Scalar", left, right);
        public static Tensor operator +(Scalar left, Tensor right) => Operators.Run("aten::add.Scalar", right, left);
        public static Tensor operator +(int left, Tensor right) => Operators.Run("aten::add.Scalar", right, left);
        public static Tensor operator +(long left, Tensor right) => Operators.Run("aten::add.Scalar", right, left);
        public static Tensor operator +(float left, Tensor right) => Operators.Run("aten::add.Scalar", right, left);
        public static Tensor operator +(double left, Tensor right) => Operators.Run("aten::add.Scalar", right, left);

        public static Tensor operator *(Tensor left, Tensor right) => Operators.Run("aten::mul.Tensor", left, right);
        public static Tensor operator *(Tensor left, Scalar right) => Operators.Run("aten::mul.Scalar", left, right);
        public static Tensor operator *(Tensor left, int right) => Operators.Run("aten::mul.Scalar", left, right);
        public static Tensor operator *(Tensor left, long right) => Operators.Run("aten::mul.Scalar", left, right);
        public static Tensor operator *(Tensor left, float right) => Operators.Run("aten::mul.Scalar", left, right);
        public static Tensor operator *(Tensor left, double right) => Operators.Run("aten::mul.Scalar", left, right);
        public static Tensor operator *(Scalar left, Tensor right) => Operators.Run("aten::mul.Scalar", right, left);
        public static Tensor operator *(int left, Tensor right) => Operators.Run("aten::mul.Scalar", right, left);
        public static Tensor operator *(long left, Tensor right) => Operators.Run("aten::mul.Scalar", right, left);
        public static Tensor operator *(float left, Tensor right) => Operators.Run("aten::mul.Scalar", right, left);
        public static Tensor operator *(double left, Tensor right) => Operators.Run("aten::mul.Scalar", right, left);

        public static Tensor operator -(Tensor left, Tensor right) => Operators.Run("aten::sub.Tensor", left, right);
        public static Tensor operator -(Tensor left, Scalar right) => Operators.Run("aten::sub.Scalar", left, right);
        public static Tensor operator -(Tensor left, int right) => Operators.Run("aten::sub.Scalar", left, right);
        public static Tensor operator -(Tensor left, long right) => Operators.Run("aten::sub.Scalar", left, right);
        public static Tensor operator -(Tensor left, float right) => Operators.Run("aten::sub.Scalar", left, right);
        public static Tensor operator -(Tensor left, double right) => Operators.Run("aten::sub.Scalar", left, right);
        public static Tensor operator -(Scalar left, Tensor right) => Operators.Run("aten::rsub.Scalar", right, left);
        public static Tensor operator -(int left, Tensor right) => Operators.Run("aten::rsub.Scalar", right, left);
        public static Tensor operator -(long left, Tensor right) => Operators.Run("aten::rsub.Scalar", right, left);
        public static Tensor operator -(float left, Tensor right) => Operators.Run("aten::rsub.Scalar", right, left);
        public static Tensor operator -(double left, Tensor right) => Operators.Run("aten::rsub.Scalar", right, left);
        public static Tensor operator -(Tensor tensor) => tensor.neg();

        public static Tensor operator /(Tensor left, Tensor right) => Operators.Run("aten::div.Tensor", left, right);
        public static Tensor operator /(Tensor left, Scalar right) => Operators.Run("aten::div.Scalar", left, right);
        public static Tensor operator /(Tensor left, int right) => Operators.Run("aten::div.Scalar", left, right);
        public static Tensor operator /(Tensor left, long right) => Operators.Run("aten::div.Scalar", left, right);
        public static Tensor operator /(Tensor left, float right) => Operators.Run("aten::div.Scalar", left, right);
        public static Tensor operator /(Tensor left, double right) => Operators.Run("aten::div.Scalar", left, right);
        public static Tensor operator /(Scalar left, Tensor right) => Over(left, right);
        public static Tensor operator /(int left, Tensor right) => Over(left, right);
        public static Tensor operator /(long left, Tensor right) => Over(left, right);
        public static Tensor operator /(float left, Tensor right) => Over(left, right);
        public static Tensor operator /(double left, Tensor right) => Over(left, right);

        public static Tensor operator %(Tensor left, Tensor right) => Operators.Run("aten::remainder.Tensor", left, right);
        public static Tensor operator %(Tensor left, Scalar right) => Operators.Run("aten::remainder.Scalar", left, right);
        public static Tensor operator %(Tensor left, int right) => Operators.Run("aten::remainder.Scalar", left, right);
        public static Tensor operator %(Tensor left, long right) => Operators.Run("aten::remainder.Scalar", left, right);
        public static Tensor operator %(Tensor left, float right) => Operators.Run("aten::remainder.Scalar", left, right);
        public static Tensor operator %(Tensor left, double right) => Operators.Run("aten::remainder.Scalar", left, right);

        public static Tensor operator &(Tensor left, Tensor right) => Operators.Run("aten::bitwise_and.Tensor", left, right);
        public static Tensor operator |(Tensor left, Tensor right) => Operators.Run("aten::bitwise_or.Tensor", left, right);
        public static Tensor operator ^(Tensor left, Tensor right) => Operators.Run("aten::bitwise_xor.Tensor", left, right);
        public static Tensor operator ~(Tensor left) => left.bitwise_not();

        // Comparison is elementwise; use `is null` to ask about the reference.
        public static Tensor operator ==(Tensor left, Tensor right) => left.eq(right);
        public static Tensor operator ==(Tensor left, Scalar right) => left.eq(right);
        public static Tensor operator ==(Scalar left, Tensor right) => right.eq(left);
        public static Tensor operator !=(Tensor left, Tensor right) => left.ne(right);
        public static Tensor operator !=(Tensor left, Scalar right) => left.ne(right);
        public static Tensor operator !=(Scalar left, Tensor right) => right.ne(left);
        public static Tensor operator <(Tensor left, Tensor right) => left.lt(right);
        public static Tensor operator <(Tensor left, Scalar right) => left.lt(right);
        public static Tensor operator <(Scalar left, Tensor right) => right.gt(left);
        public static Tensor operator <=(Tensor left, Tensor right) => left.le(right);
        public static Tensor operator <=(Tensor left, Scalar right) => left.le(right);
        public static Tensor operator <=(Scalar left, Tensor right) => right.ge(left);
        public static Tensor operator >(Tensor left, Tensor right) => left.gt(right);
        public static Tensor operator >(Tensor left, Scalar right) => left.gt(right);
        public static Tensor operator >(Scalar left, Tensor right) => right.lt(left);
        public static Tensor operator >=(Tensor left, Tensor right) => left.ge(right);
        public static Tensor operator >=(Tensor left, Scalar right) => left.ge(right);
        public static Tensor operator >=(Scalar left, Tensor right) => right.le(left);

        // Makes Scalar the better target where an overload takes either: x.mul_(2) means the number.
        public static implicit operator Tensor(Scalar scalar) => full([], scalar, scalar.Type);
        public static implicit operator Tensor(bool value) => tensor(value);
        public static implicit operator Tensor(byte value) => tensor(value);
        public static implicit operator Tensor(sbyte value) => tensor(value);
        public static implicit operator Tensor(short value) => tensor(value);
        public static implicit operator Tensor(int value) => tensor(value);
        public static implicit operator Tensor(long value) => tensor(value);
        public static implicit operator Tensor(float value) => tensor(value);
        public static implicit operator Tensor(double value) => tensor(value);
        public static implicit operator Tensor(bool[] value) => tensor(value);
        public static implicit operator Tensor(byte[] value) => tensor(value);
        public static implicit operator Tensor(sbyte[] value) => tensor(value);
        public static implicit operator Tensor(short[] value) => tensor(value);
        public static implicit operator Tensor(int[] value) => tensor(value);
        public static implicit operator Tensor(long[] value) => tensor(value);
        public static implicit operator Tensor(float[] value) => tensor(value);
        public static implicit operator Tensor(double[] value) => tensor(value);

        private static Tensor Over(Scalar left, Tensor right)
        {
            using var inverse = right.reciprocal();
            return Operators.Run("aten::mul.Scalar", inverse, left);
        }
    }
}
