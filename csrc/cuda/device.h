// Which CUDA devices there are, or why there are none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rtaudio {

struct CudaDevice {
  std::string name;
  int compute_major;
  int compute_minor;
  std::int64_t memory_bytes;
  int num_multiprocessors;
};

struct CudaReport {
  std::vector<CudaDevice> devices;
  std::string reason;           // one sentence when `devices` is empty, else empty
  std::string runtime_version;  // of the CUDA runtime in this build; empty without CUDA
  std::string driver_version;   // the newest CUDA the driver knows; empty without a driver
};

// Never throws a CUDA error: what went wrong is the report's reason.
CudaReport query_cuda();

}  // namespace rtaudio
