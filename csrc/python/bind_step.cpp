// A model's step as a function of its input and of memory that the caller keeps: for rtaudio.torch.
#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "core/refine.h"
#include "cpu/denormals.h"
#include "cuda/diffusion.h"
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

// Noise for (lanes, frames, values) and one step of diffusion, of frames `position` on.
using Shape = std::tuple<std::int64_t, std::int64_t, int>;

refine::Items items_of(const Shape& shape, std::uint32_t seed, std::uint32_t stream,
                       std::int64_t position, std::uint32_t step) {
  const auto [lanes, frames, values] = shape;
  if (lanes < 0 || frames < 0 || values < 1) {
    throw py::value_error("noise is made for (lanes, frames, values), at least one value");
  }
  if (position < 0) throw py::value_error("a position is negative");
  return {lanes, frames, values, {seed, stream, 0}, position, step};
}

template <class Job>
void run_here(const Job& job) {
  const py::gil_scoped_release release;
  const FlushDenormals guard;
  refine::run_items(job, 0, 1);
}

Array diffusion_noise(const refine::Items& items) {
  Array z(std::vector<py::ssize_t>{items.lanes, items.frames, items.values});
  run_here(refine::Draws{items, z.mutable_data()});
  return z;
}

// x (lanes, frames, values), in place; spread: (lanes, frames) or empty.
void diffusion_step(Array& x, const Array& found, const Array& spread, refine::Step how, bool clip,
                    std::uint32_t seed, std::uint32_t stream, std::int64_t position,
                    std::uint32_t step) {
  const bool shaped = spread.size() > 0;
  if (x.ndim() != 3 || x.shape(2) < 1 || found.ndim() != 3 ||
      !std::equal(x.shape(), x.shape() + 3, found.shape()) ||
      (shaped &&
       (spread.ndim() != 2 || spread.shape(0) != x.shape(0) || spread.shape(1) != x.shape(1)))) {
    throw py::value_error("x and epsilon must be (lanes, frames, values), spread (lanes, frames)");
  }
  const Shape shape{x.shape(0), x.shape(1), static_cast<int>(x.shape(2))};
  run_here(refine::Updates{items_of(shape, seed, stream, position, step), how, clip, found.data(),
                           shaped ? spread.data() : nullptr, x.mutable_data()});
}

// The same on a GPU, for arrays that torch has checked: their addresses, and its stream.
float* address(std::uintptr_t at) { return reinterpret_cast<float*>(at); }

void bind_diffusion(py::module_& module) {
  module.def(
      "diffusion_noise",
      [](const Shape& shape, std::uint32_t seed, std::uint32_t stream, std::int64_t position,
         std::uint32_t step) {
        return diffusion_noise(items_of(shape, seed, stream, position, step));
      },
      py::arg("shape"), py::arg("seed"), py::arg("stream"), py::arg("position"), py::arg("step"),
      "Noise of variance 1, (lanes, frames, values).");
  module.def(
      "diffusion_noise_cuda",
      [](std::uintptr_t queue, std::uintptr_t z, const Shape& shape, std::uint32_t seed,
         std::uint32_t stream, std::int64_t position, std::uint32_t step) {
        run_on_device(refine::Draws{items_of(shape, seed, stream, position, step), address(z)},
                      queue);
      },
      py::arg("queue"), py::arg("z"), py::arg("shape"), py::arg("seed"), py::arg("stream"),
      py::arg("position"), py::arg("step"));
  module.def(
      "diffusion_step",
      [](Array& x, const Array& epsilon, const Array& spread, float scale, float weight,
         float deviation, bool clip, std::uint32_t seed, std::uint32_t stream,
         std::int64_t position, std::uint32_t step) {
        diffusion_step(x, epsilon, spread, {scale, weight, deviation}, clip, seed, stream, position,
                       step);
      },
      py::arg("x").noconvert(), py::arg("epsilon").noconvert(), py::arg("spread").noconvert(),
      py::arg("scale"), py::arg("weight"), py::arg("deviation"), py::arg("clip"), py::arg("seed"),
      py::arg("stream"), py::arg("position"), py::arg("step"),
      "x = clip(scale (x - weight epsilon) + deviation spread z), in place.");
  module.def(
      "diffusion_step_cuda",
      [](std::uintptr_t queue, std::uintptr_t x, std::uintptr_t epsilon, std::uintptr_t spread,
         const Shape& shape, float scale, float weight, float deviation, bool clip,
         std::uint32_t seed, std::uint32_t stream, std::int64_t position, std::uint32_t step) {
        run_on_device(refine::Updates{items_of(shape, seed, stream, position, step),
                                      {scale, weight, deviation},
                                      clip,
                                      address(epsilon),
                                      address(spread),
                                      address(x)},
                      queue);
      },
      py::arg("queue"), py::arg("x"), py::arg("epsilon"), py::arg("spread"), py::arg("shape"),
      py::arg("scale"), py::arg("weight"), py::arg("deviation"), py::arg("clip"), py::arg("seed"),
      py::arg("stream"), py::arg("position"), py::arg("step"));
}

}  // namespace

void bind_step(py::module_& module) {
  bind_diffusion(module);
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
