// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace synward::test {

// How many times as long the work takes for ten times as much of it: near 10 where it is linear,
// near 100 where it is quadratic. Of this thread's CPU time, and the least of many tries: whoever
// else the machine works for is not measured. `prepare(size)` gives what is to be measured; of a
// size at which ten times as much is still in the caches.
template <typename Prepare>
double growth(std::size_t size, const Prepare& prepare) {
  const auto cpu_time = [] {
    timespec spent{};
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) != 0) std::abort();
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
  };
  const auto seconds = [&](std::size_t amount) {
    const auto work = prepare(amount);
    double least = 1e9;
    for (int i = 0; i < 10; ++i) {
      const double begun = cpu_time();
      work();
      least = std::min(least, cpu_time() - begun);
    }
    return least;
  };
  const double one = seconds(size);
  const double ratio = seconds(10 * size) / one;
  std::printf("ten times as much takes %.1f times as long\n", ratio);
  return ratio;
}

// Caches and sorting make ten times as much take somewhat more than ten times as long.
inline constexpr double linear_growth_max = 40;

}  // namespace synward::test
