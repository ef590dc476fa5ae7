#include "python/bindings.h"

PYBIND11_MODULE(_native, module) {
  module.doc() = "The native engine of rtaudio.";
  rtaudio::bind_model(module);
  rtaudio::bind_session(module);
  rtaudio::bind_live(module);
  rtaudio::bind_speaker(module);
  rtaudio::bind_step(module);
  rtaudio::bind_system(module);
  rtaudio::bind_timing(module);
}
