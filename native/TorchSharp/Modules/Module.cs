// torch.nn.Module: a named tree of parameters, buffers and other modules.
using System.Reflection;
using TorchSharp.Modules;
using TorchSharp.Runtime;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module : IDisposable
        {
            protected string? name;
            protected readonly OrderedDict<string, Parameter> _internal_params = new();
            protected readonly OrderedDict<string, Module> _internal_submodules = new();
            protected readonly OrderedDict<string, (Tensor, bool)> _internal_buffers = new();
            private bool isTraining = true;

            protected Module(string name) => this.name = name;

            ~Module() => Dispose(false);

            public void Dispose()
            {
                Dispose(true);
                Native.lts_trim_cache();   // a model's memory goes back to the system with it
                GC.SuppressFinalize(this);
            }

            /// <summary>Disposes parameters, buffers and submodules. Tensors that were forgotten with the module finalize themselves.</summary>
            protected virtual void Dispose(bool disposing)
            {
                if (!disposing) return;
                foreach ((string _, Parameter parameter) in _internal_params) parameter.Dispose();
                foreach ((string _, (Tensor buffer, bool _)) in _internal_buffers) buffer.Dispose();
                foreach ((string _, Module module) in _internal_submodules) module.Dispose();
            }

            public virtual string GetName() => name ?? GetType().Name;

            // -- registration ---------------------------------------------------------------------------------------

            /// <summary>Registers every field of the class that holds a parameter, a tensor (as a buffer) or a module, under the field's name.</summary>
            protected virtual void RegisterComponents()
            {
                foreach (FieldInfo field in ComponentFields())
                {
                    switch (field.GetValue(this))
                    {
                        case Module module:
                            if (!_internal_submodules.ContainsKey(field.Name)) register_module(field.Name, module);
                            break;
                        case Parameter parameter:
                            _internal_params[field.Name] = Own(parameter);
                            break;
                        case Tensor buffer:
                            _internal_buffers[field.Name] = (Own(buffer), true);
                            break;
                    }
                }
            }

            private IEnumerable<FieldInfo> ComponentFields() =>
                GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

            // A registered tensor lives as long as its module, whatever scope it was made in.
            private static T Own<T>(T tensor) where T : Tensor
            {
                tensor.DetachFromDisposeScope();
                return tensor;
            }

            public virtual void register_parameter(string name, Parameter param)
            {
                if (_internal_params.ContainsKey(name)) throw new InvalidOperationException($"Parameter '{name}' is already registered.");
                _internal_params.Add(name, Own(param));
            }

            public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
            {
                if (_internal_buffers.ContainsKey(name)) throw new InvalidOperationException($"Buffer '{name}' is already registered.");
                _internal_buffers.Add(name, (Own(tensor), persistent));
            }

            public virtual void register_module(string name, Module submodule)
            {
                if (name.Length == 0) throw new ArgumentException("A submodule needs a name.", nameof(name));
                if (name.Contains('.')) throw new ArgumentException($"The name of a submodule cannot contain a dot: '{name}'.", nameof(name));
                if (_internal_submodules.ContainsKey(name)) throw new InvalidOperationException($"Submodule '{name}' is already registered.");
                submodule.RegisterComponents();
                _internal_submodules.Add(name, submodule);
            }

            public void add_module(string name, Module module) => register_module(name, module);

            protected void ConditionallyRegisterParameter(string name, Parameter? value)
            {
                if (value is null) _internal_params.Remove(name);
                else _internal_params[name] = Own(value);
            }

            protected void ConditionallyRegisterBuffer(string name, Tensor? value, bool persistent = true)
            {
                if (value is null) _internal_buffers.Remove(name);
                else _internal_buffers[name] = (Own(value), persistent);
            }

            protected void ClearModules() => _internal_submodules.Clear();

            // -- walking --------------------------------------------------------------------------------------------

            public virtual IEnumerable<(string name, Module module)> named_children() => _internal_submodules.Keys.Select(key => (key, _internal_submodules[key])).ToList();
            public virtual IEnumerable<Module> children() => _internal_submodules.Values;

            public virtual IEnumerable<(string name, Module module)> named_modules()
            {
                foreach ((string child, Module module) in _internal_submodules)
                {
                    yield return (child, module);
                    foreach ((string inner, Module m) in module.named_modules()) yield return ($"{child}.{inner}", m);
                }
            }

            public virtual IEnumerable<Module> modules() => named_modules().Select(p => p.module);

            public virtual IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true)
            {
                HashSet<Parameter> seen = new(ReferenceEqualityComparer.Instance);
                foreach ((string own, Parameter parameter) in _internal_params)
                {
                    if (seen.Add(parameter)) yield return (own, parameter);
                }

                if (!recurse) yield break;
                foreach ((string child, Module module) in _internal_submodules)
                {
                    foreach ((string inner, Parameter parameter) in module.named_parameters())
                    {
                        if (seen.Add(parameter)) yield return ($"{child}.{inner}", parameter);
                    }
                }
            }

            public virtual IEnumerable<Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(p => p.parameter);

            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true, bool include_nonpersistent = true)
            {
                foreach ((string own, (Tensor buffer, bool persistent)) in _internal_buffers)
                {
                    if (persistent || include_nonpersistent) yield return (own, buffer);
                }

                if (!recurse) yield break;
                foreach ((string child, Module module) in _internal_submodules)
                {
                    foreach ((string inner, Tensor buffer) in module.named_buffers(true, include_nonpersistent)) yield return ($"{child}.{inner}", buffer);
                }
            }

            public virtual IEnumerable<Tensor> buffers(bool recurse = true, bool include_nonpersistent = true) =>
                named_buffers(recurse, include_nonpersistent).Select(p => p.buffer);

            public virtual bool has_parameter(string target) => get_parameter(target) is not null;
            public virtual Parameter? get_parameter(string target) => named_parameters().FirstOrDefault(p => p.name == target).parameter;
            public virtual bool has_buffer(string target) => get_buffer(target) is not null;
            public virtual Tensor? get_buffer(string target) => named_buffers().FirstOrDefault(p => p.name == target).buffer;

            public virtual Module apply(Action<Module> fn)
            {
                foreach ((string _, Module module) in _internal_submodules) module.apply(fn);
                fn(this);
                return this;
            }

            // -- state ----------------------------------------------------------------------------------------------

            public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
            {
                destination ??= [];
                string Name(string own) => string.IsNullOrEmpty(prefix) ? own : $"{prefix}.{own}";
                foreach ((string own, Parameter parameter) in _internal_params) destination.TryAdd(Name(own), parameter);
                foreach ((string own, (Tensor buffer, bool persistent)) in _internal_buffers)
                {
                    if (persistent) destination.TryAdd(Name(own), buffer);
                }

                foreach ((string child, Module module) in _internal_submodules) module.state_dict(destination, Name(child));
                return destination;
            }

            public virtual (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(Dictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null)
            {
                Dictionary<string, Tensor> target = state_dict();
                List<string> missing = target.Keys.Where(k => skip?.Contains(k) != true && !source.ContainsKey(k)).ToList();
                List<string> unexpected = source.Keys.Where(k => skip?.Contains(k) != true && !target.ContainsKey(k)).ToList();
                if (strict && (missing.Count > 0 || unexpected.Count > 0))
                    throw new InvalidOperationException($"The state does not fit: missing [{string.Join(", ", missing)}], unexpected [{string.Join(", ", unexpected)}].");
                using IDisposable guard = no_grad();
                foreach ((string key, Tensor value) in source)
                {
                    if (skip?.Contains(key) == true || !target.TryGetValue(key, out Tensor? own)) continue;
                    own.copy_(value);
                }

                return (missing, unexpected);
            }

            public virtual bool training => isTraining;

            public virtual void train(bool train = true)
            {
                isTraining = train;
                foreach ((string _, Module module) in _internal_submodules) module.train(train);
            }

            public virtual void eval() => train(false);

            public virtual void zero_grad(bool set_to_none = true)
            {
                foreach (Parameter parameter in parameters())
                {
                    using Tensor? grad = parameter.grad;
                    if (grad is null) continue;
                    if (set_to_none) parameter.grad = null;
                    else using (no_grad()) grad.zero_();
                }
            }
        }
    }
}
