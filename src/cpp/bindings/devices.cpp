#include "bindings/devices.h"

#include <pybind11/stl.h>

#include "ops/device_rows.h"

namespace py = pybind11;

namespace fastcnn {
namespace {

// What the module of a device gives: it stays loaded, for the rows point into it.
void install(const py::capsule& capsule) {
  require(std::string(capsule.name()) == kDeviceCapsule, ErrorKind::Config, "expected a capsule of name ",
          kDeviceCapsule, ", got ", capsule.name());
  const auto& module = *capsule.get_pointer<DeviceModule>();
  require(module.layout == kDeviceLayout, ErrorKind::Config,
          "cuda: the module for CUDA devices was built with another version of fastcnn; install both together");
  install_devices(module.provider);
  add_device_rows(module.rows);
}

py::dict properties(int index) {
  DeviceRuntime& runtime = device_runtime(index);
  std::int64_t free = 0, total = 0;
  runtime.memory(free, total);
  py::dict d;
  d["name"] = runtime.name();
  d["capability"] = runtime.capability();
  d["free_bytes"] = free;
  d["total_bytes"] = total;
  return d;
}

// Memory of a device that Python owns.
class DeviceMemory {
 public:
  DeviceMemory(int index, std::int64_t bytes) : runtime_(device_runtime(index)), bytes_(bytes) {
    require(bytes >= 0, ErrorKind::Config, "expected a number of bytes, got ", bytes);
    runtime_.activate();
    memory_ = DeviceBuffer(runtime_, bytes);
  }
  std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(memory_.data()); }
  std::int64_t bytes() const { return bytes_; }
  void upload(const py::buffer& from) {
    const py::buffer_info info = check(from);
    runtime_.activate();
    runtime_.upload(memory_.data(), info.ptr, bytes_, nullptr);
    runtime_.synchronize();
  }
  void download(const py::buffer& to) const {
    const py::buffer_info info = check(to);
    require(!info.readonly, ErrorKind::Config, "expected an array that can be written");
    runtime_.activate();
    runtime_.synchronize();
    runtime_.download(info.ptr, memory_.data(), bytes_, nullptr);
    runtime_.synchronize();
  }

 private:
  py::buffer_info check(const py::buffer& host) const {
    py::buffer_info info = host.request();
    require(PyBuffer_IsContiguous(info.view(), 'C') && info.size * info.itemsize == bytes_, ErrorKind::Shape,
            "expected a C-contiguous array of ", bytes_, " bytes, got ", info.size * info.itemsize);
    return info;
  }
  DeviceRuntime& runtime_;
  std::int64_t bytes_;
  DeviceBuffer memory_;
};

}  // namespace

void bind_devices(py::module_& m) {
  m.def("install_devices", &install, py::arg("capsule"));
  m.def("has_devices", &has_devices);
  m.def("device_count", &device_count);
  m.def("device_properties", &properties, py::arg("index"));
  m.def(
      "synchronize_device",
      [](int index) {
        device_runtime(index).activate();
        device_runtime(index).synchronize();
      },
      py::arg("index"), py::call_guard<py::gil_scoped_release>());
  py::class_<DeviceMemory, std::shared_ptr<DeviceMemory>>(m, "DeviceMemory", "Memory of a device.")
      .def(py::init<int, std::int64_t>(), py::arg("index"), py::arg("bytes"))
      .def_property_readonly("address", &DeviceMemory::address)
      .def_property_readonly("bytes", &DeviceMemory::bytes)
      .def("upload", &DeviceMemory::upload, py::arg("array"))
      .def("download", &DeviceMemory::download, py::arg("array"));
}

}  // namespace fastcnn
