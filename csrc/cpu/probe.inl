// What a level does at best: sums in registers alone, reads alone. The floors of `rtaudio bench`.

// Chains of sums that do not depend on one another: enough to hide the latency of a step, few
// enough for the registers.
template <int... kIndices>
struct Chains {
  static constexpr int kCount = sizeof...(kIndices);

  template <class Sum, class Step>
  RTA_HD static Sum run(std::int64_t rounds, const Step& step) {
    return loop(rounds, step, start<Sum>(kIndices)...);
  }

 private:
  // A parameter each: compilers leave the elements of an array in memory here.
  template <class Step, class... Sums>
  RTA_HD static auto loop(std::int64_t rounds, const Step& step, Sums... sums) {
    for (std::int64_t round = 0; round < rounds; ++round) {
      ((sums = step(sums, round, kIndices)), ...);
    }
    return (sums + ...);
  }
  // Zero, but the compiler may not know, or it would keep one chain for all.
  template <class Sum>
  RTA_HD static Sum start(int) {
    Sum sum{};
    asm volatile("" : "+m"(sum));
    return sum;
  }
};

#if defined(__AVX512F__)
using Probe = Chains<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11>;
#elif defined(__AVX2__)
using Probe = Chains<0, 1, 2, 3, 4>;
#else
using Probe = Chains<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11>;
#endif
#if defined(__AVX2__)
using FloatSum = Vec;
using IntSum = Int;
RTA_HD Vec multiply_add(Vec sum, Vec factor) { return fma(factor, factor, sum); }
RTA_HD Vec load_part(const float* p, Vec) { return load(p); }
RTA_HD Int add_dot(Int sum, const Int& w, int x) { return dot_bytes(sum, w, Int(x)); }
#else  // one register of a Vec's four
using FloatSum = Floats;
using IntSum = Ints;
RTA_HD Floats multiply_add(Floats sum, Floats factor) {
#if defined(__aarch64__)
  return fma_quad(factor, factor, sum);
#else  // the product must be of the sum, or it would be made once for all rounds
  return fma_quad(sum, factor, factor);
#endif
}
RTA_HD Floats load_part(const float* p, Floats part) {
  __builtin_memcpy(&part, p, sizeof part);
  return part;
}
RTA_HD Ints add_dot(Ints sum, const Int& w, int x) { return sum + dot_bytes(w.q[0], Ints{} + x); }
#endif
constexpr int kPart = sizeof(FloatSum) / sizeof(float);

template <class Sum>
RTA_HD void keep(float* to, const Sum& sum) {
  __builtin_memcpy(to, &sum, sizeof sum);
}

std::int64_t multiply_adds(WeightFormat format, std::int64_t rounds, float* sum) {
  const std::int64_t steps = Probe::kCount * kPart * rounds;
  // From memory anew each time, as far as the compiler can tell: nothing made of the weights is
  // computed once for all rounds.
  Int weights(0x01020304);
  if (format == WeightFormat::int8) {
    keep(sum, Probe::run<IntSum>(rounds, [&](IntSum s, std::int64_t, int chain) {
           if (chain == 0) asm volatile("" : "+m"(weights));
           return add_dot(s, weights, 0x01010101 * (chain + 1));
         }));
    return 4 * steps;
  }
#if defined(__AVX512BF16__)  // elsewhere bf16dot's products are fma
  if (format == WeightFormat::bf16dot) {
    keep(sum, Probe::run<Vec>(rounds, [&](Vec s, std::int64_t, int) {
           return dot_halves(s, weights, Int(0x3f003f00));
         }));
    return 2 * steps;
  }
#endif
  FloatSum factor;
  __builtin_memset(&factor, 0x3f, sizeof factor);  // 0.747
  keep(sum, Probe::run<FloatSum>(
                rounds, [=](FloatSum s, std::int64_t, int) { return multiply_add(s, factor); }));
  return steps;
}

void read_floats(const float* data, std::size_t count, float* sum) {
  constexpr std::int64_t kEach = Probe::kCount * kPart;
  const auto rounds = static_cast<std::int64_t>(count) / kEach;
  keep(sum, Probe::run<FloatSum>(rounds, [=](FloatSum s, std::int64_t round, int chain) {
         return s + load_part(data + round * kEach + chain * kPart, s);
       }));
}
