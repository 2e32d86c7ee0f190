// Between Python objects and the core's plain types.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "core/tensor.h"
#include "ops/attrs.h"

namespace fastcnn {

// A view of a C-contiguous array; throws Error(DType | Shape) for what a Tensor cannot be. Copies nothing.
Tensor view_array(const pybind11::array& array, const char* what);
pybind11::dtype new_dtype(const TensorType& type);
pybind11::array new_array(const TensorType& type);  // uninitialised
DType parse_dtype(const std::string& name);
Shape make_shape(const std::vector<std::int64_t>& dims);
pybind11::tuple shape_tuple(const Shape& shape);
Attrs make_attrs(const std::string& op, const pybind11::dict& dict);

}  // namespace fastcnn
