// The queue in front of a speaker for Python: filled here, emptied in PortAudio's thread.
#include <pybind11/numpy.h>

#include "live/port_audio.h"
#include "python/bindings.h"

namespace py = pybind11;

namespace rtaudio {
namespace {

using Array = py::array_t<float, py::array::c_style>;

int write(SpeakerQueue& queue, const Array& x) {
  if (x.ndim() != 1) throw py::value_error("the queue takes (frames,)");
  const auto count = std::min<py::ssize_t>(x.size(), queue.config().capacity);
  return queue.write(x.data(), static_cast<int>(count));
}

Array process(SpeakerQueue& queue, int frames) {
  if (frames < 0) throw py::value_error("frames is negative");
  Array y(std::vector<py::ssize_t>{frames, queue.config().channels});
  queue.process(y.mutable_data(), frames, false);
  return y;
}

}  // namespace

void bind_speaker(py::module_& module) {
  py::class_<SpeakerQueue>(module, "SpeakerQueue",
                           "What PortAudio calls to play speech that comes in bursts.")
      .def(py::init([](int sample_rate, int channels, int prebuffer, int capacity) {
             return std::make_unique<SpeakerQueue>(
                 SpeakerQueueConfig{sample_rate, channels, prebuffer, capacity});
           }),
           py::kw_only(), py::arg("sample_rate"), py::arg("channels"), py::arg("prebuffer"),
           py::arg("capacity"), "Pre-buffer and capacity in samples. ValueError, with a sentence.")
      .def_property_readonly(
          "user_data", [](SpeakerQueue& p) { return reinterpret_cast<std::uintptr_t>(&p); },
          "Address for PortAudio's userdata; valid while this object lives.")
      .def("write", &write, py::arg("x"), "Takes as much of (frames,) as fits; how many.")
      .def("finish", &SpeakerQueue::finish, "What was written is all for now.")
      .def("cancel", &SpeakerQueue::cancel, "What was written is faded out and dropped.")
      .def("process", &process, py::arg("frames"), "What the callback does, without a device.")
      .def_property_readonly("queued", &SpeakerQueue::queued)
      .def_property_readonly("played", &SpeakerQueue::played)
      .def_property_readonly("underflows", &SpeakerQueue::underflows)
      .def_property_readonly("late_calls", &SpeakerQueue::late_calls)
      .def_property_readonly("num_frames", &SpeakerQueue::num_frames,
                             "Frames of the device so far: a heartbeat.");
  module.def(
      "speaker_callback_address",
      [] { return reinterpret_cast<std::uintptr_t>(&rtaudio_speaker_callback); },
      "Address of the function for PortAudio's callback.");
}

}  // namespace rtaudio
