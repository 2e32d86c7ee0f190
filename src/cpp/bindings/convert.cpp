#include "bindings/convert.h"

#include <pybind11/stl.h>

#include "core/error.h"

namespace py = pybind11;

namespace fastcnn {
namespace {

struct DTypeRow {
  DType dtype;
  const char* name;
};
constexpr DTypeRow kDTypes[] = {{DType::F32, "float32"}, {DType::F64, "float64"}, {DType::I64, "int64"},
                                {DType::I32, "int32"},   {DType::U8, "uint8"},    {DType::S8, "int8"},
                                {DType::Bool, "bool"}};

bool is_sequence(const py::handle& value) {
  return py::isinstance<py::tuple>(value) || py::isinstance<py::list>(value);
}

Attr make_attr(const std::string& op, const std::string& name, const py::handle& value) {
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>();
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::float_>(value)) return value.cast<double>();
  try {
    // Integers of NumPy are no Python ints but know how to index.
    if (!is_sequence(value) && PyIndex_Check(value.ptr())) return value.cast<std::int64_t>();
    if (is_sequence(value)) {
      bool whole = py::len(value) > 0;
      for (const py::handle item : value)
        whole = whole && PyIndex_Check(item.ptr()) && !py::isinstance<py::bool_>(item);
      if (whole) return value.cast<std::vector<std::int64_t>>();
      return value.cast<std::vector<double>>();
    }
  } catch (const py::cast_error&) {  // also an integer beyond 64 bits
  }
  fail(ErrorKind::Config, op, ": ", name,
       ": expected a bool, a number of 64 bits, a string or a sequence of numbers, got ",
       py::repr(value).cast<std::string>());
}

}  // namespace

DType parse_dtype(const std::string& name) {
  for (const DTypeRow& row : kDTypes)
    if (name == row.name) return row.dtype;
  fail(ErrorKind::DType, "expected dtype float32, float64, int64, int32, uint8, int8 or bool; got ", name);
}

Tensor view_array(const py::array& array, const char* what) {
  require(array.ndim() <= kMaxRank, ErrorKind::Shape, what, ": at most ", kMaxRank, " dimensions, got ", array.ndim());
  require((array.flags() & py::array::c_style) != 0, ErrorKind::Shape, what, ": the array must be C-contiguous");
  Tensor t;
  t.type.dtype = parse_dtype(py::str(array.dtype()).cast<std::string>());
  for (int i = 0; i < array.ndim(); ++i) t.type.shape.push_back(array.shape(i));
  t.data = const_cast<void*>(array.data());  // plans write only to outputs, which are checked to be writeable
  return t;
}

py::dtype new_dtype(const TensorType& type) { return py::dtype(dtype_name(type.dtype)); }

py::array new_array(const TensorType& type) {
  return py::array(new_dtype(type), std::vector<py::ssize_t>(type.shape.dims, type.shape.dims + type.shape.rank));
}

Shape make_shape(const std::vector<std::int64_t>& dims) {
  require(dims.size() <= kMaxRank, ErrorKind::Shape, "at most ", kMaxRank, " dimensions, got ", dims.size());
  Shape shape;
  for (const std::int64_t d : dims) shape.push_back(d);
  return shape;
}

py::tuple shape_tuple(const Shape& shape) {
  py::tuple t(shape.rank);
  for (int i = 0; i < shape.rank; ++i) t[i] = shape[i];
  return t;
}

Attrs make_attrs(const std::string& op, const py::dict& dict) {
  Attrs attrs;
  for (const auto& [key, value] : dict) {
    const auto name = key.cast<std::string>();
    if (!value.is_none()) attrs[name] = make_attr(op, name, value);
  }
  return attrs;
}

}  // namespace fastcnn
