// Model and Stream for Python. Shapes and types are checked here; below, nothing can be wrong.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "model/model.h"
#include "model/stream.h"
#include "model/whole.h"
#include "python/bindings.h"
#include "python/checks.h"
#include "python/saved_state.h"

namespace py = pybind11;

namespace rtaudio {
namespace {

constexpr const char* kPrecisionNames[] = {"fp32", "bf16", "bf16dot", "int8"};
constexpr const char* kDeviceNames[] = {"cpu", "cuda", "cuda-strict", "emulated"};
constexpr const char* kEmulatedFast = "emulated-fast";  // what "cuda" runs, emulated
using BufferTuple = std::tuple<int, int, int>;
using OperationTuple =
    std::tuple<std::string, std::vector<int>, int, std::map<std::string, std::int64_t>,
               std::map<std::string, double>, std::map<std::string, std::string>, int>;

Device device_of(const std::string& name) {
  if (name == kEmulatedFast) return Device::emulated;
  for (std::size_t i = 0; i < std::size(kDeviceNames); ++i) {
    if (name == kDeviceNames[i]) return static_cast<Device>(i);
  }
  throw std::invalid_argument("there is no device '" + name + "'");
}

Precision make_precision(const std::string& name,
                         const std::map<std::string, std::vector<float>>& ranges,
                         const std::map<std::string, std::string>& exceptions,
                         const std::string& device) {
  Precision precision;
  precision.device = device_of(device);
  precision.tensor_cores = precision.device == Device::cuda || device == kEmulatedFast;
  if (name == "calibrate") {
    precision.calibrate = true;
    return precision;
  }
  precision.format = weight_format(name);
  precision.input_ranges = ranges;
  for (const auto& [tensor, format] : exceptions) {
    precision.exceptions.emplace(tensor, weight_format(format));
  }
  return precision;
}

std::shared_ptr<Model> make_model(
    const std::vector<BufferTuple>& buffers, const std::vector<OperationTuple>& operations,
    int input, int output, int num_controls, const std::map<std::string, Array>& tensors,
    const std::string& precision, const std::map<std::string, std::vector<float>>& input_ranges,
    const std::map<std::string, std::string>& exceptions, const std::string& device) {
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
  return std::make_shared<Model>(program,
                                 make_precision(precision, input_ranges, exceptions, device));
}

py::array as_array(const py::object& x, const char* name) {
  if (!py::isinstance<py::array>(x)) {
    throw py::type_error(std::string(name) + " is " +
                         std::string(py::str(py::type::of(x).attr("__name__"))) +
                         "; give a numpy array of float32");
  }
  return py::reinterpret_borrow<py::array>(x);
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

Array model_run_whole(const std::shared_ptr<Model>& model, const py::array& x,
                      const std::vector<float>& controls) {
  const std::int64_t frames = check_frames(x, model->input().channels, "the input");
  const Array input = contiguous(x);
  std::vector<float> y;
  {
    const py::gil_scoped_release release;
    y = run_whole(model, input.data(), frames, controls);
    check_fault(*model);
  }
  const int width = model->output().channels;
  Array output = make_frames(static_cast<std::int64_t>(y.size()) / width, width, false);
  std::copy(y.begin(), y.end(), output.mutable_data());
  return output;
}

class PyStream {
 public:
  PyStream(std::shared_ptr<const Model> model, int lanes, int max_ticks, double ramp_frames,
           std::vector<float> controls, int process_frames, int threads)
      : stream_(std::move(model), lanes, max_ticks, ramp_frames, std::move(controls),
                process_frames, threads),
        process_frames_(process_frames),
        wanted_(static_cast<std::size_t>(stream_.num_controls())) {
    for (std::atomic<float>& value : wanted_) value = kUnchanged;
  }

  Array push(const py::array& x) {
    const InUse in_use(in_use_);
    const std::int64_t frames = check_frames(x, stream_.input_width(), "the input");
    require_open();
    if (stream_.processing()) throw StreamMisuse("process() is in use; reset() first");
    const Array input = contiguous(x);
    Array output = make_frames(stream_.push_size(frames), stream_.output_width(), x.ndim() == 1);
    const float* from = input.data();
    float* to = output.mutable_data();
    const py::gil_scoped_release release;
    apply_controls();
    stream_.push(from, frames, to);
    check_fault(stream_.model());
    return output;
  }

  Array flush(bool flat) {
    const InUse in_use(in_use_);
    if (stream_.processing()) throw StreamMisuse("process() is in use; reset() first");
    Array output = make_frames(stream_.flush_size(), stream_.output_width(),
                               flat && stream_.output_width() == 1);
    float* to = output.mutable_data();
    const py::gil_scoped_release release;
    apply_controls();
    stream_.flush(to);
    check_fault(stream_.model());
    return output;
  }

  void process_into(const py::object& input, const py::object& output) {
    const InUse in_use(in_use_);
    const py::array x = as_array(input, "the input");
    py::array y = as_array(output, "the output");
    check_process(x);
    if (check_frames(y, stream_.output_width(), "the output") != x.shape(0)) {
      throw py::value_error("the input has " + std::to_string(x.shape(0)) +
                            " frames and the output " + std::to_string(y.shape(0)) +
                            "; they must be as many");
    }
    if (!y.writeable() || !(y.flags() & py::array::c_style)) {
      throw py::value_error("the output must be a writable, contiguous array");
    }
    run_process(x, y);
  }

  Array process(const py::array& x) {
    const InUse in_use(in_use_);
    check_process(x);
    Array output = make_frames(x.shape(0), stream_.output_width(), x.ndim() == 1);
    run_process(x, output);
    return output;
  }

  py::dict save() {
    const InUse in_use(in_use_);
    require_open();
    if (!stream_.can_save()) {
      throw StreamMisuse("the prompt is not yet used up; save once its samples are out");
    }
    apply_controls();
    return to_dict(stream_.save());
  }

  void load(const std::map<std::string, py::array>& state) {
    const InUse in_use(in_use_);
    const Stream::Saved saved = from_dict(state, stream_.save());
    for (std::atomic<float>& value : wanted_) value = kUnchanged;
    stream_.load(saved);
  }

  void reset() {
    const InUse in_use(in_use_);
    apply_controls();
    stream_.reset();
  }

  // Begins anew, with one seed and for each lane its own stream number, constants and prompt.
  void restart(std::uint32_t seed, const std::vector<std::uint32_t>& streams,
               const std::vector<std::vector<float>>& constants,
               const std::vector<std::vector<float>>& prompts) {
    const InUse in_use(in_use_);
    const auto lanes = static_cast<std::size_t>(stream_.lanes());
    if (streams.size() != lanes || constants.size() != lanes || prompts.size() != lanes) {
      throw py::value_error(
          "there must be one stream number, one row of constants and one prompt "
          "for each of the " +
          std::to_string(lanes) + " lanes");
    }
    std::vector<LaneSettings> settings;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      settings.push_back({seed, streams[lane], constants[lane], prompts[lane]});
    }
    apply_controls();
    stream_.restart(std::move(settings));
  }

  // From any thread: the next call on the stream takes it up.
  void set_control(int index, float value) {
    if (index < 0 || index >= stream_.num_controls()) {
      throw py::index_error("there is no control " + std::to_string(index));
    }
    if (std::isfinite(value)) wanted_[static_cast<std::size_t>(index)] = value;
  }

  const Stream& stream() const { return stream_; }

 private:
  static constexpr float kUnchanged = std::numeric_limits<float>::quiet_NaN();

  void require_open() const {
    if (stream_.ended()) throw StreamMisuse("the stream has been flushed; reset() it first");
  }

  void check_process(const py::array& x) const {
    if (stream_.threads() > 1) {
      throw StreamMisuse("process() waits for nobody; open the stream with one thread, or push()");
    }
    if (stream_.input_width() != stream_.output_width() || !stream_.can_process()) {
      throw StreamMisuse(
          "process() needs a model whose output has the rate and the channels of its input; "
          "use push()");
    }
    require_open();
    if (!stream_.processing() && !stream_.idle()) {
      throw StreamMisuse("push() is in use; reset() first");
    }
    const std::int64_t frames = check_frames(x, stream_.input_width(), "the input");
    if (process_frames_ > 0 && frames % process_frames_ != 0) {
      throw py::value_error("process() got " + std::to_string(frames) +
                            " frames; this stream was opened for blocks of " +
                            std::to_string(process_frames_));
    }
  }

  void run_process(const py::array& x, py::array& y) {
    const Array input = contiguous(x);
    const float* from = input.data();
    auto* to = static_cast<float*>(y.mutable_data());
    const std::int64_t frames = x.shape(0);
    const std::int64_t floats = frames * stream_.input_width();
    const std::less<const float*> before;
    if (from != to && before(from, to + floats) && before(to, from + floats)) {
      throw py::value_error("the output overlaps the input; give the same array or another one");
    }
    const py::gil_scoped_release release;
    apply_controls();
    stream_.process(from, to, frames);
    check_fault(stream_.model());
  }

  void apply_controls() noexcept {
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (std::isnan(wanted_[i].load(std::memory_order_relaxed))) continue;
      stream_.set_control(static_cast<int>(i), wanted_[i].exchange(kUnchanged));
    }
  }

  Stream stream_;
  int process_frames_;
  std::atomic<bool> in_use_ = false;
  std::vector<std::atomic<float>> wanted_;
};

}  // namespace

WeightFormat weight_format(const std::string& precision) {
  for (std::size_t i = 0; i < std::size(kPrecisionNames); ++i) {
    if (precision == kPrecisionNames[i]) return static_cast<WeightFormat>(i);
  }
  throw std::invalid_argument("there is no precision '" + precision + "'");
}

void bind_model(py::module_& module) {
  py::class_<Model, std::shared_ptr<Model>>(
      module, "Model", "A checked program with packed weights; shared by streams and threads.")
      .def(py::init(&make_model), py::arg("buffers"), py::arg("operations"), py::arg("input"),
           py::arg("output"), py::arg("num_controls"), py::arg("tensors"),
           py::arg("precision") = "fp32",
           py::arg("input_ranges") = std::map<std::string, std::vector<float>>(),
           py::arg("exceptions") = std::map<std::string, std::string>(), py::arg("device") = "cpu",
           "ValueError, with a sentence, for a program that cannot run. Precision 'calibrate' is "
           "fp32 and notes input_ranges while it runs, which int8 needs. Exceptions: the precision "
           "of "
           "single matrices, by the names of their tensors.")
      .def_property_readonly("input_ranges",
                             [](const Model& m) { return m.precision().input_ranges; })
      .def("output_length", &Model::output_length, py::arg("source_length"))
      .def("run_whole", &model_run_whole, py::arg("x"), py::arg("controls"),
           "The answer to a whole signal (frames, channels), looked at as one.");

  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const StreamMisuse& error) {
      const py::object type = py::module_::import("rtaudio.errors").attr("StreamError");
      py::set_error(type, error.what());
    }
  });

  py::class_<PyStream>(module, "Stream",
                       "A model's state for some lanes, fed any number of frames.")
      .def(py::init([](std::shared_ptr<Model> model, int lanes, int max_ticks, double ramp_frames,
                       std::vector<float> controls, int process_frames, int threads) {
             return std::make_unique<PyStream>(std::move(model), lanes, max_ticks, ramp_frames,
                                               std::move(controls), process_frames, threads);
           }),
           py::arg("model").none(false), py::arg("lanes"), py::arg("max_ticks"),
           py::arg("ramp_frames"), py::arg("controls"), py::arg("process_frames"),
           py::arg("threads") = 1)
      .def("push", &PyStream::push, py::arg("x"))
      .def("flush", &PyStream::flush, py::arg("flat") = false)
      .def("process", &PyStream::process, py::arg("x"))
      .def("process_into", &PyStream::process_into, py::arg("x"), py::arg("y"))
      .def("reset", &PyStream::reset)
      .def("restart", &PyStream::restart, py::arg("seed"), py::arg("streams"), py::arg("constants"),
           py::arg("prompts"))
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
