#include "cuda/device.h"

#include <cuda_runtime.h>

namespace rtaudio {
namespace {

// CUDA counts 1000 * major + 10 * minor.
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

CudaReport query_cuda() {
  CudaReport report;
  report.runtime_version = version_text(CUDART_VERSION);

  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) {
    report.driver_version = version_text(driver);
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  // Without a driver the runtime says that the driver is too old, which sends people the wrong way.
  if (driver == 0) {
    report.reason = "no NVIDIA driver";
    return report;
  }
  if (error == cudaErrorInsufficientDriver) {
    report.reason = "the NVIDIA driver supports CUDA " + report.driver_version +
                    ", this build needs " + report.runtime_version + " or a driver of its series";
    return report;
  }
  if (error != cudaSuccess) {
    report.reason = cudaGetErrorString(error);
    return report;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
    report.devices.push_back({properties.name, properties.major, properties.minor,
                              static_cast<std::int64_t>(properties.totalGlobalMem),
                              properties.multiProcessorCount});
  }
  if (report.devices.empty()) report.reason = "an NVIDIA driver, but no usable GPU";
  return report;
}

}  // namespace rtaudio
