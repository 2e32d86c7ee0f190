// The Python module fastcnn._cuda: it loads without a driver, and gives its devices and kernels to fastcnn._C.
#include <pybind11/pybind11.h>

#include "core/runtime.h"
#include "ops/registry.h"

namespace py = pybind11;

// Tests build the same sources for the CPU, under another name.
#ifndef FASTCNN_CUDA_MODULE
#define FASTCNN_CUDA_MODULE _cuda
#endif

PYBIND11_MODULE(FASTCNN_CUDA_MODULE, m) {
  m.def(
      "devices",
      [] {
        using namespace fastcnn;
        static DeviceModule module;
        try {
          module.provider = cuda::find_devices();
        } catch (const Error& error) {
          PyErr_SetString(py::module_::import("fastcnn.errors").attr("ConfigError").ptr(), error.what());
          throw py::error_already_set();
        }
        module.rows = cuda::all_rows();
        return py::capsule(&module, kDeviceCapsule);
      },
      "A capsule for fastcnn._C.install_devices; fastcnn.errors.ConfigError where there is no device.");
}
