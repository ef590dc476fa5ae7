// Model and Stream for Python. Shapes and types are checked here; below, nothing can be wrong.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <stdexcept>

#include "model/model.h"
#include "model/stream.h"
#include "python/bindings.h"

namespace py = pybind11;

namespace rtaudio {
namespace {

using Array = py::array_t<float, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style>;
using BufferTuple = std::tuple<int, int, int>;
using OperationTuple =
    std::tuple<std::string, std::vector<int>, int, std::map<std::string, std::int64_t>,
               std::map<std::string, double>, std::map<std::string, std::string>, int>;

std::shared_ptr<Model> make_model(const std::vector<BufferTuple>& buffers,
                                  const std::vector<OperationTuple>& operations, int input,
                                  int output, int num_controls,
                                  const std::map<std::string, Array>& tensors) {
  ProgramSpec program{{}, {}, input, output, num_controls, {}};
  for (const auto& [channels, frames, delay] : buffers) {
    program.buffers.push_back({channels, frames, delay});
  }
  for (const auto& [kind, inputs, out, ints, floats, names, control] : operations) {
    program.operations.push_back({kind, inputs, out, ints, floats, names, control});
  }
  for (const auto& [name, array] : tensors) {
    Tensor tensor;
    for (py::ssize_t i = 0; i < array.ndim(); ++i) tensor.shape.push_back(array.shape(i));
    tensor.data.assign(array.data(), array.data() + array.size());
    program.tensors.emplace(name, std::move(tensor));
  }
  return std::make_shared<Model>(program);
}

// Frames of `x`, which is (frames,) where a frame is one number wide, else (frames, width).
std::int64_t check_frames(const py::array& x, int width, const char* name) {
  if (!py::isinstance<py::array_t<float>>(x)) {
    throw py::type_error(std::string(name) + " is " + std::string(py::str(x.dtype())) +
                         "; convert it to float32, full scale 1.0");
  }
  const bool flat = x.ndim() == 1 && width == 1;
  if (!flat && !(x.ndim() == 2 && x.shape(1) == width)) {
    throw py::value_error(std::string(name) + " has shape " +
                          std::string(py::str(x.attr("shape"))) + "; this stream takes (frames, " +
                          std::to_string(width) + ")");
  }
  return x.shape(0);
}

Array make_frames(std::int64_t frames, int width, bool flat) {
  return flat ? Array(std::vector<py::ssize_t>{frames})
              : Array(std::vector<py::ssize_t>{frames, width});
}

class PyStream {
 public:
  PyStream(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
           std::vector<float> controls, int process_frames)
      : stream_(std::move(model), lanes, max_ticks, ramp_frames, std::move(controls),
                process_frames),
        process_frames_(process_frames) {}

  Array push(const py::array& x) {
    const std::int64_t frames = check_frames(x, stream_.input_width(), "the input");
    if (stream_.ended()) throw std::runtime_error("the stream has been flushed; reset() it first");
    if (stream_.processing()) throw std::runtime_error("process() is in use; reset() first");
    const Array input = Array::ensure(x);
    Array output = make_frames(stream_.push_size(frames), stream_.output_width(), x.ndim() == 1);
    const float* from = input.data();
    float* to = output.mutable_data();
    const py::gil_scoped_release release;
    stream_.push(from, frames, to);
    return output;
  }

  Array flush(bool flat) {
    if (stream_.processing()) throw std::runtime_error("process() is in use; reset() first");
    Array output = make_frames(stream_.flush_size(), stream_.output_width(),
                               flat && stream_.output_width() == 1);
    float* to = output.mutable_data();
    const py::gil_scoped_release release;
    stream_.flush(to);
    return output;
  }

  void process_into(const py::array& x, py::array& y) {
    const std::int64_t frames = check_frames(x, stream_.input_width(), "the input");
    if (check_frames(y, stream_.output_width(), "the output") != frames) {
      throw py::value_error("input and output must have the same number of frames");
    }
    if (process_frames_ > 0 && frames % process_frames_ != 0) {
      throw py::value_error("process() got " + std::to_string(frames) +
                            " frames; this stream was opened for blocks of " +
                            std::to_string(process_frames_));
    }
    if (!stream_.processing() && !stream_.idle()) {
      throw std::runtime_error("push() is in use; reset() first");
    }
    if (stream_.input_width() != stream_.output_width() || !stream_.can_process()) {
      throw std::runtime_error(
          "process() needs a model with as many outputs as inputs; use push()");
    }
    const Array input = Array::ensure(x);
    if (!y.writeable() || !(y.flags() & py::array::c_style)) {
      throw py::value_error("the output must be a writable, contiguous array");
    }
    const float* from = input.data();
    auto* to = static_cast<float*>(y.mutable_data());
    const py::gil_scoped_release release;
    stream_.process(from, to, frames);
  }

  Array process(const py::array& x) {
    const std::int64_t frames = check_frames(x, stream_.input_width(), "the input");
    Array output = make_frames(frames, stream_.output_width(), x.ndim() == 1);
    process_into(x, output);
    return output;
  }

  py::dict save() const {
    if (stream_.ended()) throw std::runtime_error("the stream has been flushed; reset() it first");
    const Stream::Saved saved = stream_.save();
    py::dict state;
    const std::int64_t position[] = {saved.frames_in, saved.frames_out, saved.processing ? 1 : 0};
    state["position"] = py::array_t<std::int64_t>(3, position);
    Doubles ramps(std::vector<py::ssize_t>{static_cast<py::ssize_t>(saved.ramps.size()), 3});
    double* ramp = ramps.mutable_data();
    for (const Session::Ramp& r : saved.ramps) {
      *ramp++ = r.from;
      *ramp++ = r.to;
      *ramp++ = static_cast<double>(r.ticks);
    }
    state["ramps"] = ramps;
    state["pending"] = Array(static_cast<py::ssize_t>(saved.pending.size()), saved.pending.data());
    state["ready"] = Array(static_cast<py::ssize_t>(saved.ready.size()), saved.ready.data());
    for (std::size_t lane = 0; lane < saved.lanes.size(); ++lane) {
      for (const Session::StateTensor& t : saved.lanes[lane]) {
        const std::string name = "lane" + std::to_string(lane) + "." + t.name;
        state[py::str(name)] =
            Array(std::vector<py::ssize_t>{t.channels, t.frames}, t.values.data());
      }
    }
    return state;
  }

  void load(const std::map<std::string, py::array>& state) {
    const auto get = [&](const std::string& name) -> const py::array& {
      const auto found = state.find(name);
      if (found == state.end()) {
        throw std::invalid_argument("the saved state lacks '" + name +
                                    "'; it is not of this model");
      }
      return found->second;
    };
    const auto floats = [&](const std::string& name) {
      const Array a = Array::ensure(get(name));
      if (!a) throw std::invalid_argument("'" + name + "' in the saved state is no float array");
      return std::vector<float>(a.data(), a.data() + a.size());
    };
    const auto position = py::array_t<std::int64_t>::ensure(get("position"));
    if (!position || position.size() != 3) {
      throw std::invalid_argument("'position' in the saved state is not three whole numbers");
    }
    const std::int64_t* p = position.data();
    Stream::Saved saved{p[0], p[1], p[2] != 0, floats("pending"), floats("ready"), {}, {}};
    const auto ramps = Doubles::ensure(get("ramps"));
    if (!ramps || ramps.ndim() != 2 || ramps.shape(1) != 3) {
      throw std::invalid_argument("'ramps' in the saved state is not three numbers a control");
    }
    for (py::ssize_t i = 0; i < ramps.shape(0); ++i) {
      const double ticks = ramps.at(i, 2);
      saved.ramps.push_back({static_cast<float>(ramps.at(i, 0)), static_cast<float>(ramps.at(i, 1)),
                             ticks >= 0 && ticks < 1e15 ? static_cast<std::int64_t>(ticks) : -1});
    }
    // The names and shapes wanted are those this stream would save.
    for (const auto& lane : stream_.save().lanes) {
      auto& to = saved.lanes.emplace_back();
      for (const Session::StateTensor& t : lane) {
        const std::string name = "lane" + std::to_string(saved.lanes.size() - 1) + "." + t.name;
        to.push_back({t.name, t.channels, t.frames, floats(name)});
      }
    }
    stream_.load(saved);
  }

  void set_control(int index, float value) {
    if (index < 0 || index >= stream_.num_controls()) {
      throw py::index_error("there is no control " + std::to_string(index));
    }
    stream_.set_control(index, value);
  }

  Stream& stream() { return stream_; }
  const Stream& stream() const { return stream_; }

 private:
  Stream stream_;
  int process_frames_;
};

}  // namespace

void bind_model(py::module_& module) {
  py::class_<Model, std::shared_ptr<Model>>(
      module, "Model", "A checked program with packed weights; shared by streams and threads.")
      .def(py::init(&make_model), py::arg("buffers"), py::arg("operations"), py::arg("input"),
           py::arg("output"), py::arg("num_controls"), py::arg("tensors"),
           "ValueError, with a sentence, for a program that cannot run.")
      .def("output_length", &Model::output_length, py::arg("source_length"));

  py::class_<PyStream>(module, "Stream",
                       "A model's state for some lanes, fed any number of frames.")
      .def(py::init([](std::shared_ptr<Model> model, int lanes, int max_ticks, double ramp_frames,
                       std::vector<float> controls, int process_frames) {
             return std::make_unique<PyStream>(std::move(model), lanes, max_ticks, ramp_frames,
                                               std::move(controls), process_frames);
           }),
           py::arg("model").none(false), py::arg("lanes"), py::arg("max_ticks"),
           py::arg("ramp_frames"), py::arg("controls"), py::arg("process_frames"))
      .def("push", &PyStream::push, py::arg("x"))
      .def("flush", &PyStream::flush, py::arg("flat") = false)
      .def("process", &PyStream::process, py::arg("x"))
      .def("process_into", &PyStream::process_into, py::arg("x"), py::arg("y"))
      .def("reset", [](PyStream& s) { s.stream().reset(); })
      .def("set_control", &PyStream::set_control, py::arg("index"), py::arg("value"))
      .def("save", &PyStream::save)
      .def("load", &PyStream::load, py::arg("state"))
      .def_property_readonly("delay", [](const PyStream& s) { return s.stream().delay(); })
      .def_property_readonly("extra_delay",
                             [](const PyStream& s) { return s.stream().extra_delay(); })
      .def_property_readonly("num_bad_samples",
                             [](const PyStream& s) { return s.stream().num_bad_samples(); });
}

}  // namespace rtaudio
