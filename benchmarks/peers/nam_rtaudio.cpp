// Our engine: nam_rtaudio PROGRAM FLOATS, as benchmarks/nam_peers.py writes them.
#define main run_program_main
#include "../../tests/native/run_program.cpp"
#undef main

#include "model/session.h"
#include "nam_bench.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream text(argv[1]), floats(argv[2], std::ios::binary);
  const rtaudio::ProgramSpec program = rtaudio::read_program(text, floats);
  const auto model = std::make_shared<const rtaudio::Model>(program, rtaudio::read_precision(text));
  for (const int block : peers::kBlocks) {
    rtaudio::Session session(model, 1, block, 1.0, {});
    peers::time_blocks("rtaudio", block, [&](float* x, float* y, int frames) {
      session.process(x, 0, y, 0, frames);
    });
  }
}
