// The live engine for Python: made, watched and steered here; it runs in PortAudio's thread.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "live/model_processor.h"
#include "live/player.h"
#include "live/port_audio.h"
#include "python/bindings.h"

namespace py = pybind11;

namespace rtaudio {
namespace {

using Array = py::array_t<float, py::array::c_style>;

constexpr const char* kPlacements[] = {"auto", "inline", "worker"};
constexpr const char* kPriorities[] = {"unknown", "real-time", "raised", "refused"};

Placement parse_placement(const std::string& name) {
  for (int i = 0; i < 3; ++i) {
    if (name == kPlacements[i]) return static_cast<Placement>(i);
  }
  throw py::value_error("placement is '" + name + "'; give auto, inline or worker");
}

// What Python says of a model: itself, its rate, where its controls stand.
using ModelSetting = std::tuple<std::shared_ptr<Model>, int, std::vector<float>>;

std::unique_ptr<Processor> make_processor(const ModelSetting& setting, const EngineConfig& config,
                                          double ramp_seconds, std::uint32_t seed) {
  const auto& [model, rate, controls] = setting;
  if (rate < 1) throw py::value_error("a model's rate is above zero");
  return std::make_unique<ModelProcessor>(model, config.lanes, config.block,
                                          ModelRates{config.sample_rate, rate}, ramp_seconds * rate,
                                          controls, seed);
}

std::unique_ptr<Engine> make_engine(const std::optional<ModelSetting>& model,
                                    const std::optional<ModelSetting>& fallback, int sample_rate,
                                    int block, int input_channels, int output_channels, int lanes,
                                    const std::string& placement, double ramp_seconds,
                                    int record_seconds, std::optional<std::vector<float>> signal,
                                    std::uint32_t seed) {
  EngineConfig config{
      sample_rate,   block, input_channels, output_channels, lanes, 0, parse_placement(placement),
      record_seconds};
  std::unique_ptr<Processor> processor, cheaper;
  if (model.has_value()) {
    processor = make_processor(*model, config, ramp_seconds, seed);
    const auto& [native, rate, controls] = *model;
    config.hop =
        static_cast<int>((std::int64_t{native->input().frames} * sample_rate + rate - 1) / rate);
  } else if (signal.has_value()) {
    processor = std::make_unique<Player>(std::move(*signal), lanes);
  }
  if (fallback.has_value()) cheaper = make_processor(*fallback, config, ramp_seconds, seed);
  const py::gil_scoped_release release;
  return std::make_unique<Engine>(config, std::move(processor), std::move(cheaper));
}

std::vector<std::int64_t> counts_of(const LoadHistogram& load) {
  std::vector<std::int64_t> counts;
  for (int i = 0; i < LoadHistogram::kClasses; ++i) counts.push_back(load.count(i));
  return counts;
}

py::dict snapshot(Engine& engine) {
  const Engine::Counts& c = engine.counts();
  py::dict d;
  d["frames"] = c.frames.get();
  d["blocks"] = c.blocks.get();
  d["late_calls"] = c.late_calls.get();
  d["input_overflows"] = c.input_overflows.get();
  d["input_underflows"] = c.input_underflows.get();
  d["output_underflows"] = c.output_underflows.get();
  d["output_overflows"] = c.output_overflows.get();
  d["missed_blocks"] = c.missed_blocks.get();
  d["overloads"] = c.overloads.get();
  d["concealed_frames"] = c.concealed_frames.get();
  d["fallback_frames"] = c.fallback_frames.get();
  d["bad_input_samples"] = c.bad_input_samples.get();
  d["clipped_samples"] = c.clipped_samples.get();
  d["odd_calls"] = c.odd_calls.get();
  d["unrecorded_blocks"] = c.unrecorded_blocks.get();
  d["clock_slips"] = c.clock_slips.get();
  d["early_calls"] = c.early_calls.get();
  d["delay_changes"] = c.delay_changes.get();
  const Runner* runner = engine.runner();
  d["bad_model_blocks"] = runner != nullptr ? runner->num_bad_blocks() : 0;
  d["resets"] = runner != nullptr ? runner->num_resets() : 0;
  d["model_load_counts"] =
      runner != nullptr ? counts_of(runner->load()) : std::vector<std::int64_t>();
  d["model_load_worst"] = runner != nullptr ? runner->load().worst() : 0.0;
  d["load_counts"] = counts_of(engine.load());
  d["load_worst"] = engine.load().worst();
  d["input_peak"] = engine.input_level().take_peak();
  d["output_peak"] = engine.output_level().take_peak();
  d["input_squares"] = engine.input_level().squares();
  d["output_squares"] = engine.output_level().squares();
  d["overloaded"] = engine.overloaded();
  d["wet_share"] = engine.wet_share();
  d["callback_priority"] = kPriorities[static_cast<int>(engine.callback_priority())];
  d["worker_priority"] = kPriorities[static_cast<int>(engine.worker_priority())];
  return d;
}

// The oldest recorded blocks, (frames, input lanes then output lanes); at most `max_blocks`.
std::optional<Array> take_recording(Engine& engine, int max_blocks) {
  SlotRing* ring = engine.recording();
  if (ring == nullptr) throw std::runtime_error("this engine was made without a recorder");
  const int blocks = std::min(max_blocks, ring->size());
  if (blocks <= 0) return std::nullopt;
  const py::ssize_t width = 2 * engine.config().lanes;
  const py::ssize_t block = engine.config().block;
  Array taken(std::vector<py::ssize_t>{blocks * block, width});
  float* to = taken.mutable_data();
  for (int i = 0; i < blocks; ++i) {
    to = std::copy_n(ring->front_data(), block * width, to);
    ring->pop();
  }
  return taken;
}

Array process(Engine& engine, const Array& x) {
  const EngineConfig& c = engine.config();
  if (x.ndim() != 2 || x.shape(1) != c.input_channels || x.shape(0) % c.block != 0) {
    throw py::value_error("the engine takes whole blocks, (frames, " +
                          std::to_string(c.input_channels) + "), frames a multiple of " +
                          std::to_string(c.block));
  }
  Array y(std::vector<py::ssize_t>{x.shape(0), c.output_channels});
  const float* from = x.data();
  float* to = y.mutable_data();
  const py::ssize_t frames = x.shape(0);
  const py::gil_scoped_release release;
  for (py::ssize_t t = 0; t < frames; t += c.block) {
    engine.process(from + t * c.input_channels, to + t * c.output_channels, c.block, 0);
  }
  return y;
}

Array resample(Resampler& resampler, const Array& x) {
  const int lanes = resampler.lanes(), most = resampler.max_frames();
  if (x.ndim() != 2 || x.shape(1) != lanes) {
    throw py::value_error("the resampler takes (frames, " + std::to_string(lanes) + ")");
  }
  std::vector<float> y;
  std::vector<float> part(static_cast<std::size_t>(resampler.max_output(most)) *
                          static_cast<std::size_t>(lanes));
  for (py::ssize_t t = 0; t < x.shape(0); t += most) {
    const int frames = static_cast<int>(std::min<py::ssize_t>(most, x.shape(0) - t));
    const int count = resampler.push(x.data() + t * lanes, frames, part.data());
    y.insert(y.end(), part.begin(), part.begin() + std::ptrdiff_t{count} * lanes);
  }
  const auto frames = static_cast<py::ssize_t>(y.size()) / lanes;
  Array result(std::vector<py::ssize_t>{frames, lanes});
  std::copy(y.begin(), y.end(), result.mutable_data());
  return result;
}

void bridge_push(ClockBridge& bridge, const Array& x, std::int64_t now_ns) {
  if (x.ndim() != 2 || x.shape(1) != bridge.channels()) {
    throw py::value_error("the bridge takes (frames, " + std::to_string(bridge.channels()) + ")");
  }
  bridge.push(x.data(), static_cast<int>(x.shape(0)), now_ns);
}

std::pair<Array, bool> bridge_pull(ClockBridge& bridge, std::int64_t now_ns) {
  Array y(std::vector<py::ssize_t>{bridge.block(), bridge.channels()});
  const bool whole = bridge.pull(y.mutable_data(), bridge.block(), now_ns);
  return {y, whole};
}

Runner& runner_of(Engine& engine, bool fallback) {
  Runner* runner = engine.runner();
  if (fallback) runner = engine.fallback() != nullptr ? &engine.fallback()->runner() : nullptr;
  if (runner == nullptr) throw std::runtime_error("there is no such model in this engine");
  return *runner;
}

void bind_engine(py::module_& module) {
  py::class_<Engine>(module, "LiveEngine", "What PortAudio calls for every block of live sound.")
      .def(py::init(&make_engine), py::kw_only(), py::arg("model"),
           py::arg("fallback") = py::none(), py::arg("sample_rate"), py::arg("block"),
           py::arg("input_channels"), py::arg("output_channels"), py::arg("lanes"),
           py::arg("placement"), py::arg("ramp_seconds"), py::arg("record_seconds"),
           py::arg("signal") = py::none(), py::arg("seed") = 0,
           "`model` and `fallback`: (model, its rate, its controls' values), or None: a wire, and "
           "no cheaper model. `signal`: played once instead of the input, without a model. "
           "`placement`: auto, inline or worker. `seed`: of the models' noise. ValueError, with a "
           "sentence, "
           "for numbers that do not go together.")
      .def_property_readonly(
          "user_data", [](Engine& e) { return reinterpret_cast<std::uintptr_t>(&e); },
          "Address for PortAudio's userdata; valid while this object lives.")
      .def("process", &process, py::arg("x"), "What the callback does, without a device.")
      .def("set_bypass", &Engine::set_bypass, py::arg("on"))
      .def("set_mute", &Engine::set_mute, py::arg("on"))
      .def(
          "set_control",
          [](Engine& e, int index, float value, bool fallback) {
            Runner& runner = runner_of(e, fallback);
            if (index < 0 || index >= runner.num_controls()) {
              throw py::index_error("there is no control " + std::to_string(index));
            }
            runner.set_control(index, value);
          },
          py::arg("index"), py::arg("value"), py::arg("fallback") = false)
      .def("reset",
           [](Engine& e) {
             if (e.has_processor()) e.runner()->request_reset();
             if (e.fallback() != nullptr) e.fallback()->runner().request_reset();
           })
      .def("snapshot", &snapshot, "Counters, levels (peaks since the last snapshot), loads.")
      .def("take_recording", &take_recording, py::arg("max_blocks"))
      .def_property_readonly(
          "num_frames", [](const Engine& e) { return e.counts().frames.get(); },
          "Frames of the device so far: a heartbeat.")
      .def_property_readonly("overloaded", &Engine::overloaded, "The model rests.")
      .def_property_readonly("delay", &Engine::delay)
      .def_property_readonly("worker_delay", &Engine::worker_delay)
      .def_property_readonly("warm_up_worst", &Engine::warm_up_worst);
}

void bind_clocks(py::module_& module) {
  py::class_<TwoClocks>(module, "LiveTwoClocks",
                        "An input and an output stream with a clock each, and one engine.")
      .def(py::init<Engine&, int>(), py::arg("engine"), py::arg("slack"), py::keep_alive<1, 2>(),
           "`slack`: frames that an input block may come late by.")
      .def_property_readonly(
          "user_data", [](TwoClocks& c) { return reinterpret_cast<std::uintptr_t>(&c); },
          "Address for PortAudio's userdata; valid while this object lives.")
      .def_property_readonly(
          "delay", [](const TwoClocks& c) { return c.bridge().delay(); }, "In frames.")
      .def_property_readonly(
          "drift", [](const TwoClocks& c) { return c.bridge().drift(); },
          "The input's clock against the output's, a ratio.")
      .def_property_readonly(
          "excess", [](const TwoClocks& c) { return c.bridge().excess(); },
          "Frames in the ring above those that there should be.")
      .def_property_readonly(
          "num_beats", [](const TwoClocks& c) { return c.bridge().num_beats(); },
          "Grows while both devices are at work: a heartbeat.");

  py::class_<ClockBridge>(module, "LiveClockBridge", "What joins two clocks, for tests.")
      .def(py::init<int, int, int, int>(), py::arg("channels"), py::arg("block"), py::arg("slack"),
           py::arg("sample_rate"))
      .def("push", &bridge_push, py::arg("x"), py::arg("now_ns"), "(frames, channels)")
      .def("pull", &bridge_pull, py::arg("now_ns"),
           "A block, (frames, channels), and whether the signal is whole.")
      .def_property_readonly("delay", &ClockBridge::delay)
      .def_property_readonly("drift", &ClockBridge::drift)
      .def_property_readonly("fill", &ClockBridge::fill)
      .def_property_readonly("wanted_fill", &ClockBridge::wanted_fill);
}

}  // namespace

void bind_live(py::module_& module) {
  bind_engine(module);
  bind_clocks(module);

  py::class_<Resampler>(module, "LiveResampler", "The resampler of live sound, for tests.")
      .def(py::init<int, int, int, int>(), py::arg("input_rate"), py::arg("output_rate"),
           py::arg("lanes"), py::arg("max_frames"))
      .def_property_readonly("delay", &Resampler::delay, "In samples of the input.")
      .def("reset", &Resampler::reset)
      .def("push", &resample, py::arg("x"), "(frames, lanes), any number of frames.");

  module.def(
      "live_callback_addresses",
      [] {
        return std::map<std::string, std::uintptr_t>{
            {"duplex", reinterpret_cast<std::uintptr_t>(&rtaudio_port_audio_callback)},
            {"input", reinterpret_cast<std::uintptr_t>(&rtaudio_port_audio_capture)},
            {"output", reinterpret_cast<std::uintptr_t>(&rtaudio_port_audio_play)}};
      },
      "Addresses of PortAudio's callbacks, by kind of stream; the first goes with an engine, the "
      "others with LiveTwoClocks.");
  module.def(
      "live_load_classes",
      [] {
        std::vector<double> uppers;
        for (int i = 0; i < LoadHistogram::kClasses; ++i) uppers.push_back(LoadHistogram::upper(i));
        return uppers;
      },
      "The upper ends of the classes that loads are counted in, as shares of a block's time.");
}

}  // namespace rtaudio
