// The Python module fastcnn._C: pybind11 only, nothing is computed here. Its face is python/fastcnn/_C.pyi.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstring>
#include <map>
#include <optional>

#include "bindings/convert.h"
#include "bindings/devices.h"
#include "core/thread_pool.h"
#include "graph/differentiate.h"
#include "ops/device_rows.h"
#include "plan/fma_peak.h"
#include "plan/plan.h"

namespace py = pybind11;

namespace fastcnn {
namespace {

// Each kind of error is a class of fastcnn.errors, which Python owns so that it can document them.
void raise_as_python(const Error& error) {
  const char* name = nullptr;
  switch (error.kind()) {
    case ErrorKind::Shape: name = "ShapeError"; break;
    case ErrorKind::DType: name = "DTypeError"; break;
    case ErrorKind::Config: name = "ConfigError"; break;
    case ErrorKind::Unsupported: name = "UnsupportedError"; break;
    case ErrorKind::Internal: name = "FastcnnError"; break;
  }
  const py::object type = py::module_::import("fastcnn.errors").attr(name);
  PyErr_SetString(type.ptr(), error.what());
}

std::shared_ptr<const Constant> make_constant(const py::array& array) {
  static std::atomic<std::uint64_t> next{0};
  const Tensor source = view_array(array, "constant");
  auto constant = std::make_shared<Constant>(Constant{source.type, Buffer(source.type.bytes()), cat("c", next++)});
  std::memcpy(constant->buffer.data(), source.data, static_cast<std::size_t>(source.type.bytes()));
  return constant;
}

// {"ranges": {name: (low, high)}, "float_layers": [name]}, or None.
QuantizationSpec make_quantization(const py::object& given) {
  QuantizationSpec spec;
  if (given.is_none()) return spec;
  spec.ranges = given["ranges"].cast<std::map<std::string, std::pair<double, double>>>();
  for (const std::string& name : given["float_layers"].cast<std::vector<std::string>>()) spec.float_layers.insert(name);
  return spec;
}

Observe parse_observe(const std::string& what) {
  if (what.empty()) return Observe::Outputs;
  if (what == "values") return Observe::Values;
  if (what == "products") return Observe::Products;
  fail(ErrorKind::Config, "compile: observe: expected '', 'values' or 'products', got '", what, "'");
}

Recompute parse_recompute(const std::string& what) {
  if (what.empty()) return Recompute::Nothing;
  if (what == "activations") return Recompute::Activations;
  if (what == "segments") return Recompute::Segments;
  fail(ErrorKind::Config, "recompute: expected '', 'activations' or 'segments', got '", what, "'");
}

std::shared_ptr<const Plan> compile_graph(const Graph& graph, const std::string& precision, const std::string& kernel,
                                          bool optimize, ConstantCache* cache, TimingCache* timings,
                                          const py::object& quantization, const std::string& observe,
                                          const std::string& device) {
  CompileOptions options{parse_device(device), max_isa(), parse_precision(precision), kernel, optimize, timings};
  const QuantizationSpec spec = make_quantization(quantization);
  if (!quantization.is_none()) options.quantization = &spec;
  options.observe = parse_observe(observe);
  const py::gil_scoped_release unlocked;
  return compile(graph, options, cache);
}

void check_types(const char* what, const std::vector<Tensor>& tensors, const std::vector<TensorType>& types) {
  require(tensors.size() == types.size(), ErrorKind::Config, "plan: expected ", types.size(), ' ', what, ", got ",
          tensors.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const TensorType& got = tensors[i].type;
    require(got.dtype == types[i].dtype, ErrorKind::DType, "plan: ", what, ' ', i, ": expected ", types[i], ", got ",
            got);
    require(got.shape == types[i].shape, ErrorKind::Shape, "plan: ", what, ' ', i, ": expected ", types[i], ", got ",
            got);
  }
}

std::vector<Tensor> check_operands(const char* what, const std::vector<py::array>& arrays,
                                   const std::vector<TensorType>& types) {
  std::vector<Tensor> tensors;
  for (const py::array& array : arrays) tensors.push_back(view_array(array, what));
  check_types(what, tensors, types);
  return tensors;
}

void refuse_overlap(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
  const auto begin = [](const Tensor& t) { return reinterpret_cast<std::uintptr_t>(t.data); };
  const auto overlap = [&](const Tensor& a, const Tensor& b) {
    if (a.type.bytes() == 0 || b.type.bytes() == 0) return false;
    return begin(a) < begin(b) + static_cast<std::uintptr_t>(b.type.bytes()) &&
           begin(b) < begin(a) + static_cast<std::uintptr_t>(a.type.bytes());
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (const Tensor& in : inputs)
      require(!overlap(in, outputs[i]), ErrorKind::Config, "plan: output ", i, " shares memory with an input");
    for (std::size_t k = 0; k < i; ++k)
      require(!overlap(outputs[k], outputs[i]), ErrorKind::Config, "plan: outputs ", k, " and ", i, " share memory");
  }
}

std::vector<py::array> run_plan(const Plan& plan, const std::vector<py::array>& inputs,
                                std::optional<std::vector<py::array>> outputs, std::int64_t* nanoseconds) {
  const std::vector<Tensor> in = check_operands("inputs", inputs, plan.input_types());
  if (!outputs) {
    outputs.emplace();
    for (const TensorType& type : plan.output_types()) outputs->push_back(new_array(type));
  }
  const std::vector<Tensor> out = check_operands("outputs", *outputs, plan.output_types());
  for (const py::array& a : *outputs) require(a.writeable(), ErrorKind::Config, "plan: an output array is read-only");
  refuse_overlap(in, out);
  {
    const py::gil_scoped_release unlocked;
    plan.run(in, out, nanoseconds);
  }
  return std::move(*outputs);
}

// An array in the memory of a device: its address, shape and dtype.
using DeviceOperand = std::tuple<std::uintptr_t, std::vector<std::int64_t>, std::string>;

std::vector<Tensor> view_operands(const char* what, const std::vector<DeviceOperand>& operands,
                                  const std::vector<TensorType>& types) {
  std::vector<Tensor> tensors;
  for (const auto& [address, shape, dtype] : operands)
    tensors.push_back({reinterpret_cast<void*>(address), {parse_dtype(dtype), make_shape(shape)}});
  check_types(what, tensors, types);
  return tensors;
}

void run_on_device(const Plan& plan, const std::vector<DeviceOperand>& inputs,
                   const std::vector<DeviceOperand>& outputs, std::uintptr_t stream) {
  const std::vector<Tensor> in = view_operands("inputs", inputs, plan.input_types());
  const std::vector<Tensor> out = view_operands("outputs", outputs, plan.output_types());
  refuse_overlap(in, out);
  const py::gil_scoped_release unlocked;
  plan.run_on_device(in, out, reinterpret_cast<void*>(stream));
}

py::list describe_steps(const Plan& plan) {
  py::list steps;
  for (const Step& step : plan.steps()) {
    py::list inputs, outputs;
    for (std::size_t i = 0; i < step.types.size(); ++i)
      (i < step.node.inputs.size() ? inputs : outputs).append(shape_tuple(step.types[i].shape));
    py::dict d;
    d["name"] = step.node.name;
    d["op"] = step.node.op->name;
    d["kernel"] = step.node.kernel->name;
    d["precision"] = step.node.op->int8 ? "int8" : precision_name(step.precision());
    d["inputs"] = inputs;
    d["outputs"] = outputs;
    d["dtype"] = dtype_name(step.types.back().dtype);
    d["notes"] = step.notes();
    d["flops"] = step.flops;
    d["bytes"] = step.bytes;
    d["workspace"] = step.workspace_bytes;
    d["declined"] = step.node.declined;
    steps.append(d);
  }
  return steps;
}

py::list list_kernels(const std::string& op_name) {
  py::list rows;
  for (const Op* op : all_ops()) {
    if (!op_name.empty() && op_name != op->name) continue;
    for (const Device device : {Device::Cpu, Device::Cuda})
      for (const KernelInfo& row : kernels_of(*op, device)) {
        py::dict d;
        d["op"] = op->name;
        d["name"] = row.name;
        d["device"] = device == Device::Cpu ? "cpu" : "cuda";
        d["isa"] = device == Device::Cpu ? isa_name(row.isa) : "cuda";
        d["precision"] = op->int8 ? "int8" : precision_name(row.precision);
        rows.append(d);
      }
  }
  return rows;
}

py::list typed_shapes(const std::vector<TensorType>& types) {
  py::list list;
  for (const TensorType& t : types) list.append(py::make_tuple(shape_tuple(t.shape), dtype_name(t.dtype)));
  return list;
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error& error) {
      raise_as_python(error);
    }
  });
  // AMX permission must be asked for before the library's threads exist.
  cpu_isa();

  py::class_<Variable, std::shared_ptr<Variable>>(m, "Variable", "State owned by C++ and updated in place.")
      .def(py::init([](const py::array& value) {
             const Tensor source = view_array(value, "Variable");
             auto variable = std::make_shared<Variable>(source.type);
             variable->assign(source.data);
             return variable;
           }),
           py::arg("value"))
      .def_property_readonly("shape", [](const Variable& v) { return shape_tuple(v.type().shape); })
      .def_property_readonly("dtype", [](const Variable& v) { return dtype_name(v.type().dtype); })
      .def_property_readonly("version", &Variable::version)
      .def("view",
           [](const std::shared_ptr<Variable>& v) {
             // Shares the variable's memory and keeps it alive.
             const Shape& s = v->type().shape;
             py::array a(new_dtype(v->type()), std::vector<py::ssize_t>(s.dims, s.dims + s.rank), v->tensor().data,
                         py::cast(v));
             a.attr("flags").attr("writeable") = false;
             return a;
           })
      .def("numpy",
           [](const Variable& v) {
             py::array a = new_array(v.type());
             std::memcpy(a.mutable_data(), v.tensor().data, static_cast<std::size_t>(v.type().bytes()));
             return a;
           })
      .def(
          "assign",
          [](Variable& v, const py::array& value) {
            const Tensor source = view_array(value, "Variable.assign");
            require(source.type == v.type(), ErrorKind::Shape, "Variable.assign: expected ", v.type(), ", got ",
                    source.type);
            v.assign(source.data);
          },
          py::arg("value"));

  py::class_<ConstantCache, std::shared_ptr<ConstantCache>>(
      m, "ConstantCache", "Folded and packed constants that plans of one model share.")
      .def(py::init<>())
      .def_property_readonly("bytes", &ConstantCache::bytes);

  py::class_<TimingCache, std::shared_ptr<TimingCache>>(m, "TimingCache", "Nanoseconds by problem, then by kernel.")
      .def(py::init<TimingCache::Timings>(), py::arg("timings") = TimingCache::Timings())
      .def_property_readonly("timings", &TimingCache::timings);

  py::class_<Graph>(m, "Graph", "Ops joined by values.")
      .def(py::init<>())
      .def(
          "input",
          [](Graph& g, const std::vector<std::int64_t>& shape, const std::string& dtype) {
            return g.add_input({parse_dtype(dtype), make_shape(shape)});
          },
          py::arg("shape"), py::arg("dtype") = "float32")
      .def("variable", &Graph::add_variable, py::arg("variable"))
      .def(
          "constant", [](Graph& g, const py::array& value) { return g.add_constant(make_constant(value)); },
          py::arg("value"))
      .def(
          "add",
          [](Graph& g, const std::string& op, const std::vector<int>& inputs, const py::dict& attrs,
             const std::string& name) { return g.add(find_op(op), make_attrs(op, attrs), inputs, name); },
          py::arg("op"), py::arg("inputs"), py::arg("attrs"), py::arg("name") = "")
      .def(
          "shape", [](const Graph& g, int value) { return shape_tuple(g.value(value).type.shape); }, py::arg("value"))
      .def(
          "dtype", [](const Graph& g, int value) { return dtype_name(g.value(value).type.dtype); }, py::arg("value"))
      .def("set_outputs", &Graph::set_outputs, py::arg("values"))
      .def("assign", &Graph::assign, py::arg("variable"), py::arg("value"))
      .def(
          "gradient",
          [](Graph& g, int target, const std::vector<int>& sources, const std::string& recompute) {
            return differentiate(g, target, sources, parse_recompute(recompute));
          },
          py::arg("target"), py::arg("sources"), py::arg("recompute") = "");

  py::class_<Plan, std::shared_ptr<Plan>>(m, "Plan", "Chosen kernels, packed weights, one arena; immutable.")
      .def(
          "run",
          [](const Plan& plan, const std::vector<py::array>& inputs, std::optional<std::vector<py::array>> outputs) {
            return run_plan(plan, inputs, std::move(outputs), nullptr);
          },
          py::arg("inputs"), py::arg("outputs") = py::none())
      .def(
          "profile",
          [](const Plan& plan, const std::vector<py::array>& inputs) {
            std::vector<std::int64_t> nanoseconds(plan.steps().size());
            run_plan(plan, inputs, std::nullopt, nanoseconds.data());
            return nanoseconds;
          },
          py::arg("inputs"))
      .def("run_on_device", &run_on_device, py::arg("inputs"), py::arg("outputs"), py::arg("stream") = 0)
      .def("steps", &describe_steps)
      .def_property_readonly("device", [](const Plan& p) { return to_string(p.device()); })
      .def("is_stale", &Plan::is_stale)
      .def_property_readonly("input_types", [](const Plan& p) { return typed_shapes(p.input_types()); })
      .def_property_readonly("output_types", [](const Plan& p) { return typed_shapes(p.output_types()); })
      .def_property_readonly("output_names", &Plan::output_names)
      .def_property_readonly("arena_bytes", &Plan::arena_bytes)
      .def_property_readonly("constant_bytes", &Plan::constant_bytes);

  m.def("compile", &compile_graph, py::arg("graph"), py::arg("precision") = "highest", py::arg("kernel") = "",
        py::arg("optimize") = true, py::arg("cache") = py::none(), py::arg("timings") = py::none(),
        py::arg("quantization") = py::none(), py::arg("observe") = "", py::arg("device") = "cpu");
  bind_devices(m);
  m.def("ops", [] {
    std::vector<std::string> names;
    for (const Op* op : all_ops()) names.emplace_back(op->name);
    return names;
  });
  m.def("kernels", &list_kernels, py::arg("op") = "");
  m.def("cpu_isa", [] { return isa_name(cpu_isa()); });
  m.def("measure_fma_gflops", [] { return measure_fma_gflops(max_isa()); }, py::call_guard<py::gil_scoped_release>());
  m.def("cpu_model", &cpu_model);
  m.def("max_isa", [] { return isa_name(max_isa()); });
  m.def("num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads, py::arg("n"), py::call_guard<py::gil_scoped_release>());
  m.def("build_info",
        [] { return std::map<std::string, std::string>{{"version", FASTCNN_VERSION}, {"compiler", FASTCNN_BUILD}}; });
}

}  // namespace fastcnn
