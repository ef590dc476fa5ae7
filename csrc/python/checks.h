// What bound classes share: arrays, and one user at a time.
#pragma once

#include <pybind11/numpy.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <string>

#include "model/model.h"

namespace rtaudio {

namespace py = pybind11;

using Array = py::array_t<float, py::array::c_style>;

// Raised in Python as rtaudio.errors.StreamError.
struct StreamMisuse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A GPU that fails gives zeros; here it is said.
inline void check_fault(const Model& model) {
  const std::string fault = model.fault();
  if (!fault.empty()) throw StreamMisuse(fault + "; make the stream anew, or use device='cpu'");
}

// While it lives, its stream is in use: a call of another thread is refused rather than let at
// state that changes under it. Declared before the GIL is released, so it ends with the GIL held.
class InUse {
 public:
  explicit InUse(std::atomic<bool>& flag) : flag_(flag) {
    if (flag_.exchange(true)) {
      throw StreamMisuse(
          "another thread is using this stream; give every thread a stream of its own, or lock");
    }
  }
  ~InUse() { flag_ = false; }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  std::atomic<bool>& flag_;
};

// x in C order: itself, or a copy.
inline Array contiguous(const py::array& x) {
  Array input = Array::ensure(x);
  if (!input) throw std::bad_alloc();
  return input;
}

}  // namespace rtaudio
