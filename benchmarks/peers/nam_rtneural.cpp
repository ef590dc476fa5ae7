// jatinchowdhury18/RTNeural-NAM: nam_rtneural FILE.nam (A1 "standard").
#include <RTNeural/RTNeural.h>

#include <fstream>
#include <math_approx/math_approx.hpp>
#include <memory>

#include "json.hpp"
#include "nam_bench.h"
#include "wavenet/wavenet_model.hpp"

struct Maths {
  template <class T>
  static T tanh(const T& x) {
    return math_approx::tanh<3>(x);
  }
};
using D = wavenet::Dilations<1, 2, 4, 8, 16, 32, 64, 128, 256, 512>;
using Net =
    wavenet::Wavenet_Model<float, 1, wavenet::Layer_Array<float, 1, 1, 8, 16, 3, D, false, Maths>,
                           wavenet::Layer_Array<float, 16, 1, 1, 8, 3, D, true, Maths>>;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  nlohmann::json file;
  std::ifstream(argv[1]) >> file;
  for (const int block : peers::kBlocks) {
    const auto net = std::make_unique<Net>();
    net->prepare(block);
    net->load_weights(file);
    net->prewarm();
    peers::time_blocks("RTNeural-NAM", block, [&](float* x, float* y, int frames) {
      if (frames == 1) {
        *y = net->forward(*x);
      } else {
        net->forward(x, y, frames);
      }
    });
  }
}
