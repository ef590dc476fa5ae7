// Session for Python: lanes that are held, reset and ended one by one.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "model/samples.h"
#include "model/session.h"
#include "python/bindings.h"
#include "python/checks.h"

namespace py = pybind11;

namespace rtaudio {
namespace {

using LaneMask = py::array_t<bool, py::array::c_style>;

std::size_t checked_floats(std::int64_t each, std::int64_t lanes) {
  if (each * lanes > std::int64_t{1} << 30) {
    throw std::length_error(
        "the input of all lanes is larger than 4 GiB; use fewer or fewer ticks");
  }
  return static_cast<std::size_t>(each * lanes);
}

class PySession {
 public:
  PySession(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
            std::vector<float> controls)
      : session_(std::move(model), lanes, max_ticks, ramp_frames, std::move(controls)),
        held_(static_cast<std::size_t>(lanes), false),
        num_bad_samples_(static_cast<std::size_t>(lanes), 0),
        in_(checked_floats(std::int64_t{in_floats()} * max_ticks, lanes)) {}

  // (lanes, frames, channels) in and out; held lanes are not read, and their output is zero.
  Array process(const py::array& x) {
    const InUse in_use(in_use_);
    check(x);
    const Array input = contiguous(x);
    const std::int64_t ticks = x.shape(1) / session_.model().input().frames;
    Array output(std::vector<py::ssize_t>{x.shape(0),
                                          static_cast<py::ssize_t>(ticks * output_frames()),
                                          session_.model().output().channels});
    const float* from = input.data();
    float* to = output.mutable_data();
    const py::gil_scoped_release release;
    std::fill_n(to, output.size(), 0.0f);
    run(from, to, ticks);
    check_fault(session_.model());
    return output;
  }

  // The same by addresses in the device's memory, dense, queued on a stream of the caller's.
  void process_on(std::uintptr_t stream, std::uintptr_t x, std::uintptr_t y,
                  std::int64_t num_frames) {
    const InUse in_use(in_use_);
    if (!session_.model().on_gpu()) {
      throw py::value_error("this session's model is on the CPU, which cannot read a GPU's memory");
    }
    const std::int64_t ticks = num_frames / session_.model().input().frames;
    const std::ptrdiff_t in = in_floats();
    const std::ptrdiff_t out = std::ptrdiff_t{output_frames()} * session_.model().output().channels;
    const auto* from = reinterpret_cast<const float*>(x);
    auto* to = reinterpret_cast<float*>(y);
    const py::gil_scoped_release release;
    for (std::int64_t tick = 0; tick < ticks;) {
      const int count =
          static_cast<int>(std::min<std::int64_t>(session_.max_ticks(), ticks - tick));
      session_.process_on(reinterpret_cast<void*>(stream), from + tick * in, ticks * in,
                          to + tick * out, ticks * out, count);
      tick += count;
    }
    check_fault(session_.model());
  }

  void hold(const LaneMask& mask) {
    const InUse in_use(in_use_);
    check(mask);
    for (int lane = 0; lane < session_.lanes(); ++lane) {
      held_[static_cast<std::size_t>(lane)] = mask.at(lane);
      session_.hold(lane, mask.at(lane));
    }
  }

  // Each lane's own stream number, constants and prompt; those of other lanes are not looked at.
  void reset(const LaneMask& mask, std::uint32_t seed, const std::vector<std::uint32_t>& streams,
             const std::vector<std::vector<float>>& constants,
             const std::vector<std::vector<float>>& prompts) {
    const InUse in_use(in_use_);
    check(mask);
    const auto lanes = static_cast<std::size_t>(session_.lanes());
    if (streams.size() != lanes || constants.size() != lanes || prompts.size() != lanes) {
      throw py::value_error("settings for " + std::to_string(lanes) + " lanes are needed");
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (!mask.at(static_cast<py::ssize_t>(lane))) continue;
      session_.restart(static_cast<int>(lane),
                       {seed, streams[lane], constants[lane], prompts[lane]});
      num_bad_samples_[lane] = 0;
    }
  }

  void end(int lane, std::int64_t num_frames) {
    const InUse in_use(in_use_);
    check_lane(lane);
    if (num_frames < 0) throw py::value_error("a signal cannot end before its start");
    session_.end(lane, num_frames);
  }

  void set_control(int index, float value) {
    const InUse in_use(in_use_);
    if (index < 0 || index >= session_.model().num_controls()) {
      throw py::index_error("there is no control " + std::to_string(index));
    }
    session_.set_control(index, value);
  }

  std::int64_t num_bad_samples(int lane) const {
    check_lane(lane);
    return num_bad_samples_[static_cast<std::size_t>(lane)];
  }

  int delay() const { return session_.model().output().delay; }
  int output_frames() const { return session_.model().output().frames; }

 private:
  int in_floats() const {
    return session_.model().input().frames * session_.model().input().channels;
  }

  void check_lane(int lane) const {
    if (lane < 0 || lane >= session_.lanes()) {
      throw py::index_error("there is no lane " + std::to_string(lane));
    }
  }

  void check(const LaneMask& mask) const {
    if (mask.ndim() != 1 || mask.shape(0) != session_.lanes()) {
      throw py::value_error("the mask has shape " + std::string(py::str(mask.attr("shape"))) +
                            "; give one boolean a lane, (" + std::to_string(session_.lanes()) +
                            ",)");
    }
  }

  void check(const py::array& x) const {
    if (!py::isinstance<py::array_t<float>>(x)) {
      throw py::type_error("the input is " + std::string(py::str(x.dtype())) +
                           "; convert it to float32, full scale 1.0");
    }
    const BufferSpec& in = session_.model().input();
    if (x.ndim() != 3 || x.shape(0) != session_.lanes() || x.shape(1) % in.frames != 0 ||
        x.shape(2) != in.channels) {
      throw py::value_error("the input has shape " + std::string(py::str(x.attr("shape"))) +
                            "; this session takes (" + std::to_string(session_.lanes()) +
                            " lanes, a multiple of " + std::to_string(in.frames) + " frames, " +
                            std::to_string(in.channels) + " channels)");
    }
  }

  void run(const float* x, float* y, std::int64_t num_ticks) noexcept {
    const std::ptrdiff_t out_floats =
        std::ptrdiff_t{output_frames()} * session_.model().output().channels;
    const std::ptrdiff_t in_step = std::ptrdiff_t{session_.max_ticks()} * in_floats();
    for (std::int64_t tick = 0; tick < num_ticks;) {
      const int count =
          static_cast<int>(std::min<std::int64_t>(session_.max_ticks(), num_ticks - tick));
      for (std::size_t lane = 0; lane < held_.size(); ++lane) {
        if (held_[lane]) continue;
        const float* from = x + (static_cast<std::int64_t>(lane) * num_ticks + tick) * in_floats();
        float* to = in_.data() + static_cast<std::ptrdiff_t>(lane) * in_step;
        for (int i = 0; i < count * in_floats(); ++i) {
          to[i] = let_in(from[i], num_bad_samples_[lane]);
        }
      }
      session_.process(in_.data(), in_step, y + tick * out_floats, num_ticks * out_floats, count);
      tick += count;
    }
  }

  Session session_;
  std::vector<bool> held_;
  std::vector<std::int64_t> num_bad_samples_;
  std::vector<float> in_;  // [lane][frame][channel]
  std::atomic<bool> in_use_ = false;
};

}  // namespace

void bind_session(py::module_& module) {
  py::class_<PySession>(module, "Session",
                        "A model's state for many lanes, fed whole ticks; lanes are held, reset "
                        "and ended one by one.")
      .def(py::init([](std::shared_ptr<Model> model, int lanes, int max_ticks, double ramp_frames,
                       std::vector<float> controls) {
             return std::make_unique<PySession>(std::move(model), lanes, max_ticks, ramp_frames,
                                                std::move(controls));
           }),
           py::arg("model").none(false), py::arg("lanes"), py::arg("max_ticks"),
           py::arg("ramp_frames"), py::arg("controls"))
      .def("process", &PySession::process, py::arg("x"))
      .def("process_on", &PySession::process_on, py::arg("stream"), py::arg("x"), py::arg("y"),
           py::arg("num_frames"))
      .def("hold", &PySession::hold, py::arg("mask"))
      .def("reset", &PySession::reset, py::arg("mask"), py::arg("seed"), py::arg("streams"),
           py::arg("constants"), py::arg("prompts"))
      .def("end", &PySession::end, py::arg("lane"), py::arg("num_frames"))
      .def("set_control", &PySession::set_control, py::arg("index"), py::arg("value"))
      .def("num_bad_samples", &PySession::num_bad_samples, py::arg("lane"))
      .def_property_readonly("delay", &PySession::delay);
}

}  // namespace rtaudio
