// What depends on the compiler, and the only macros of csrc.
#pragma once

// RTA_HD marks a formula that host and device code share. It is always inlined, so that an object
// compiled for one instruction-set level never leaves a copy for the linker to pick.
#if defined(__CUDACC__)
#define RTA_HD __host__ __device__ __forceinline__
#else
#define RTA_HD inline __attribute__((always_inline))
#endif

// Before a short loop over an array of vectors: GCC, as nvcc, keeps the array in registers only if
// the loop is gone before it looks.
#if defined(__CUDA_ARCH__)
#define RTA_UNROLL _Pragma("unroll")
#elif defined(__clang__) || defined(__CUDACC__)
#define RTA_UNROLL
#else
#define RTA_UNROLL _Pragma("GCC unroll 16")
#endif

// Before a loop whose body is long: a GPU's compiler would write it out for every turn.
#if defined(__CUDA_ARCH__)
#define RTA_ROLLED _Pragma("unroll 1")
#else
#define RTA_ROLLED
#endif

#define RTA_CONCAT_(a, b) a##b
#define RTA_CONCAT(a, b) RTA_CONCAT_(a, b)

// A function that may not allocate, lock or make a system call: RealtimeSanitizer watches it.
#if defined(__has_feature)
#if __has_feature(realtime_sanitizer)
#define RTA_NONBLOCKING [[clang::nonblocking]]
#endif
#endif
#ifndef RTA_NONBLOCKING
#define RTA_NONBLOCKING
#endif

// A wake-up of another thread: the one system call that a real-time thread may make.
#if defined(__has_feature)
#if __has_feature(realtime_sanitizer)
#include <sanitizer/rtsan_interface.h>
#define RTA_WAKE(call)                     \
  {                                        \
    const __rtsan::ScopedDisabler allow{}; \
    call;                                  \
  }
#endif
#endif
#ifndef RTA_WAKE
#define RTA_WAKE(call) call
#endif
