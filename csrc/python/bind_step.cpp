// A model's step as a function of its input and of memory that the caller keeps: for rtaudio.torch.
#include <algorithm>
#include <vector>

#include "model/session.h"
#include "python/bindings.h"
#include "python/checks.h"

namespace rtaudio {
namespace {

using Ticks = py::array_t<std::int64_t, py::array::c_style>;

class PyStep {
 public:
  PyStep(std::shared_ptr<const Model> model, int lanes, int max_ticks)
      : session_(std::move(model), lanes, max_ticks, 1.0, {}) {
    const BufferSpec &in = session_.model().input(), &out = session_.model().output();
    if (in.frames != 1 || out.frames != 1 || out.delay != 0) {
      throw py::value_error("a step takes and gives one frame, without a delay");
    }
    start_.assign(session_.memory(), session_.memory() + memory_floats());
  }

  // (lanes, floats): what a stream begins with.
  Array initial_memory() const {
    Array memory(std::vector<py::ssize_t>{session_.lanes(),
                                          static_cast<py::ssize_t>(session_.state_floats())});
    std::copy(start_.begin(), start_.end(), memory.mutable_data());
    return memory;
  }

  // x (lanes, frames, channels); `memory` and `position` (lanes,) move on in place.
  Array run(const Array& x, Array& memory, Ticks& position) {
    const InUse in_use(in_use_);
    const int lanes = session_.lanes(), channels = session_.model().input().channels;
    if (x.ndim() != 3 || x.shape(0) != lanes || x.shape(2) != channels) {
      throw py::value_error("x must be (" + std::to_string(lanes) + ", frames, " +
                            std::to_string(channels) + ")");
    }
    if (memory.size() != static_cast<py::ssize_t>(memory_floats()) || position.size() != lanes) {
      throw py::value_error("this memory is not one of this stack and so many lanes");
    }
    std::int64_t* ticks = position.mutable_data();
    if (std::any_of(ticks, ticks + lanes, [](std::int64_t t) { return t < 0; })) {
      throw py::value_error("a position is negative");
    }
    const int outputs = session_.model().output().channels;
    const py::ssize_t frames = x.shape(1);
    Array y(std::vector<py::ssize_t>{lanes, frames, outputs});
    float* to = y.mutable_data();
    const float* from = x.data();
    float* kept = memory.mutable_data();
    const py::gil_scoped_release release;
    session_.borrow(kept, {ticks, static_cast<std::size_t>(lanes)});
    for (py::ssize_t t = 0; t < frames; t += session_.max_ticks()) {
      const auto count = static_cast<int>(std::min<py::ssize_t>(session_.max_ticks(), frames - t));
      session_.process(from + t * channels, frames * channels, to + t * outputs, frames * outputs,
                       count);
    }
    for (int lane = 0; lane < lanes; ++lane) ticks[lane] = session_.ticks(lane);
    return y;
  }

  int outputs() const { return session_.model().output().channels; }

 private:
  std::size_t memory_floats() const {
    return session_.state_floats() * static_cast<std::size_t>(session_.lanes());
  }

  Session session_;
  std::vector<float> start_;
  std::atomic<bool> in_use_ = false;
};

}  // namespace

void bind_step(py::module_& module) {
  py::class_<PyStep>(module, "Step", "A model's step on memory that the caller keeps.")
      .def(py::init([](std::shared_ptr<Model> model, int lanes, int max_ticks) {
             return std::make_unique<PyStep>(std::move(model), lanes, max_ticks);
           }),
           py::arg("model").none(false), py::arg("lanes"), py::arg("max_ticks"))
      .def("initial_memory", &PyStep::initial_memory)
      .def("run", &PyStep::run, py::arg("x").noconvert(), py::arg("memory").noconvert(),
           py::arg("position").noconvert())
      .def_property_readonly("outputs", &PyStep::outputs);
}

}  // namespace rtaudio
