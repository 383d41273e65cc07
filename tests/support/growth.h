// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <time.h>

#include <algorithm>
#include <cstddef>

namespace synward::test {

// How many times as long the work takes for ten times as much of it: near 10 where it is linear,
// near 100 where it is quadratic. Of this thread's CPU time, and the least of three: whoever else
// the machine works for is not measured. `prepare(size)` gives what is to be measured.
template <typename Prepare>
double growth(std::size_t size, const Prepare& prepare) {
  const auto seconds = [&prepare](std::size_t amount) {
    const auto work = prepare(amount);
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      timespec begun{}, ended{};
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
      work();
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
      least = std::min(least, static_cast<double>(ended.tv_sec - begun.tv_sec) +
                                  static_cast<double>(ended.tv_nsec - begun.tv_nsec) * 1e-9);
    }
    return least;
  };
  const double one = seconds(size);
  return seconds(10 * size) / one;
}

// Caches and sorting make ten times as much take somewhat more than ten times as long.
inline constexpr double linear_growth_max = 40;

}  // namespace synward::test
