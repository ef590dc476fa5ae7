// Memory of a GPU and of its host, with owners.
#pragma once

#include <algorithm>
#include <memory>
#include <span>

#include "cuda/error.h"

namespace rtaudio {

struct DeviceDelete {
  void operator()(void* p) const { cudaFree(p); }
};
struct PinnedDelete {
  void operator()(void* p) const { cudaFreeHost(p); }
};

// At least 16 bytes each. Throw std::runtime_error where there is no room.
inline std::unique_ptr<char, DeviceDelete> allocate_on_device(std::size_t bytes) {
  void* p = nullptr;
  check_cuda(cudaMalloc(&p, std::max<std::size_t>(bytes, 16)), "give memory");
  return std::unique_ptr<char, DeviceDelete>(static_cast<char*>(p));
}
inline std::unique_ptr<char, PinnedDelete> allocate_on_host(std::size_t bytes) {
  void* p = nullptr;
  check_cuda(cudaMallocHost(&p, std::max<std::size_t>(bytes, 16)), "give memory");
  return std::unique_ptr<char, PinnedDelete>(static_cast<char*>(p));
}

// A copy of a host's values on the GPU.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(std::span<const T> values) : bytes_(allocate_on_device(values.size_bytes())) {
    check_cuda(cudaMemcpy(bytes_.get(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice),
               "take a model's weights");
  }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.get()); }

 private:
  std::unique_ptr<char, DeviceDelete> bytes_;
};

}  // namespace rtaudio
