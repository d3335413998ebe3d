// Moving a module to another element type or device replaces its parameters: optimizers must be made afterwards.
using System.Reflection;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            protected internal virtual Module _to(Device device, ScalarType dtype, bool non_blocking) => Convert(dtype, device, non_blocking);
            protected internal virtual Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking) => Convert(null, new Device(deviceType, deviceIndex), non_blocking);
            protected internal virtual Module _to(ScalarType dtype, bool non_blocking) => Convert(dtype, null, non_blocking);
            public Module _to(Tensor other, bool non_blocking) => _to(other.device, other.dtype, non_blocking);

            private Module Convert(ScalarType? dtype, Device? device, bool non_blocking)
            {
                foreach (Module module in _internal_submodules.Values)
                {
                    if (dtype is { } t && device is not null) module._to(device, t, non_blocking);
                    else if (dtype is { } only) module._to(only, non_blocking);
                    else module._to(device!.type, device.index, non_blocking);
                }

                _toEpilog(dtype, device, non_blocking);
                return this;
            }

            protected virtual void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
            {
                foreach (string key in _internal_params.Keys)
                {
                    Parameter parameter = _internal_params[key];
                    if (!ReplaceParameter(dtype, device, parameter, out Parameter? replacement)) continue;
                    _internal_params[key] = replacement!;
                    Replace(key, parameter, replacement!);
                    parameter.Dispose();
                }

                foreach (string key in _internal_buffers.Keys)
                {
                    (Tensor buffer, bool persistent) = _internal_buffers[key];
                    if (!ReplaceBuffer(dtype, device, buffer, out Tensor? replacement)) continue;
                    _internal_buffers[key] = (replacement!, persistent);
                    Replace(key, buffer, replacement!);
                    buffer.Dispose();
                }
            }

            /// <summary>Integer parameters keep their type: a conversion to a floating-point type is meant for weights.</summary>
            protected static bool ReplaceParameter(ScalarType? dtype, Device? device, Parameter param, out Parameter? p)
            {
                p = null;
                if (!Changes(dtype, device, param, out ScalarType type, out Device target)) return false;
                using IDisposable guard = no_grad();
                p = new Parameter(param.to(type, target), param.requires_grad);
                p.DetachFromDisposeScope();
                using Tensor? grad = param.grad;
                if (grad is not null)
                {
                    using Tensor moved = grad.to(type, target);
                    p.grad = moved;
                }

                return true;
            }

            protected static bool ReplaceBuffer(ScalarType? dtype, Device? device, Tensor buffer, out Tensor? result)
            {
                result = null;
                if (!Changes(dtype, device, buffer, out ScalarType type, out Device target)) return false;
                using IDisposable guard = no_grad();
                result = buffer.to(type, target).DetachFromDisposeScope();
                return true;
            }

            private static bool Changes(ScalarType? dtype, Device? device, Tensor tensor, out ScalarType type, out Device target)
            {
                type = dtype is { } wanted && tensor.is_floating_point() == torch.is_floating_point(wanted) ? wanted : tensor.dtype;
                target = device ?? tensor.device;
                return type != tensor.dtype || target.type != tensor.device_type || target.index != tensor.device_index;
            }

            private void Replace(string name, Tensor before, Tensor after)
            {
                foreach (FieldInfo field in ComponentFields())
                {
                    if (field.Name == name && ReferenceEquals(field.GetValue(this), before)) field.SetValue(this, after);
                }
            }
        }
    }
}

public static class ModuleExtensionMethods
{
    public static T to<T>(this T module, torch.ScalarType type, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(type, non_blocking);
    public static T to<T>(this T module, torch.Device device, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(device.type, device.index, non_blocking);
    public static T to<T>(this T module, torch.Device device, torch.ScalarType type, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(device, type, non_blocking);
    public static T to<T>(this T module, string device, bool non_blocking = false) where T : torch.nn.Module => module.to(new torch.Device(device), non_blocking);
    public static T to<T>(this T module, DeviceType deviceType, int deviceIndex = -1, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(deviceType, deviceIndex, non_blocking);
    public static T to<T>(this T module, torch.Tensor other, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(other, non_blocking);
    public static T cpu<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.CPU, non_blocking);
    public static T @float<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float32, non_blocking);
    public static T @double<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float64, non_blocking);
    public static T half<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float16, non_blocking);
    public static T bfloat16<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.BFloat16, non_blocking);
}
