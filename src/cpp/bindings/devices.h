// The devices of the process, for fastcnn.cuda.
#pragma once

#include <pybind11/pybind11.h>

namespace fastcnn {

void bind_devices(pybind11::module_& m);

}  // namespace fastcnn
